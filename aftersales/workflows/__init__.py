"""What can happen to a ticket: one table per ticket type, and no number of hours in any of them."""
