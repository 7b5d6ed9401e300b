"""The FastAGI service of a gateway: what Asterisk asks during a call, and the sweeper of its spool."""
