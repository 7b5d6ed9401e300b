"""From a person's file to the fax image, its previews and its PDF.

Whatever came from outside is opened in the sandbox alone (`netfax.documents.worker`, `netfax.documents.office`); this
side holds no decoder, and draws nothing but the line at the top of a page that goes out (`netfax.documents.headline`).
"""
