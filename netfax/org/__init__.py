"""The tree of tenants, their users, and the numbers they own."""
