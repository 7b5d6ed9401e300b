"""What the pages of stored faxes say of themselves: which way up they are, and, where that is wanted, their text.

Found out beside everything else, at idle priority, a page at a time. The stored files are never changed.
"""
