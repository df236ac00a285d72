"""The addresses of the API: each passes a request on to request, plan, database and response, in this order."""
