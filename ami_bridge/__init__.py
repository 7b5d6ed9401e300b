"""The AMI bridge: one process for each Asterisk, which places calls and follows them."""
