"""What an operator watches: status, metrics and traces."""
