"""What operators watch: alert rules and the dashboard, against what the running programs print."""
