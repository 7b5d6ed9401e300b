"""From a person's file to the fax image, its previews and its PDF.

Whatever came from outside is opened in the sandbox alone (`netfax.documents.worker`); this side holds no decoder.
"""
