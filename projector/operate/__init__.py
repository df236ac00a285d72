"""What an operator asks for: install, uninstall, erase, explain, export."""
