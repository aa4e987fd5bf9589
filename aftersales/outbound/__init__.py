"""What the desk tells the outside: webhooks to other programs, messages to people. Everything here starts from rows
that were committed with the change they tell of; nothing here can hold a change up."""
