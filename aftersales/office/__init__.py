"""The desk's own records: who works here, what they saved, wrote and handed over. Nothing here moves a ticket."""
