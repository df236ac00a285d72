"""Status, metrics and traces, which an operator watches."""
