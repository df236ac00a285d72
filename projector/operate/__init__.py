"""The commands of an operator: install, uninstall, erase, explain, export."""
