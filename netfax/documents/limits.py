"""What a document may cost, known before anything is decoded."""

MAX_FILE_BYTES = 25 * 1024 * 1024
MAX_PAGES = 200
MAX_PAGE_PIXELS = 40_000_000
# A ZIP archive, as office documents are ones: its parts, what they unpack to, and that beside what they are packed in.
MAX_ARCHIVE_ENTRIES = 2_000
MAX_ARCHIVE_BYTES = 500 * 1024 * 1024
MAX_ARCHIVE_RATIO = 100

# One worker process: its address space in bytes, its seconds, the largest file that it may write.
WORKER_MEMORY = 1 * 1024 * 1024 * 1024
# LibreOffice maps much and uses little of it.
OFFICE_MEMORY = 2 * 1024 * 1024 * 1024
OFFICE_OUTPUT_BYTES = 200 * 1024 * 1024
OFFICE_SECONDS = 40.0
INSPECT_SECONDS = 20.0
CONVERT_SECONDS = 55.0
SECONDS_A_FURTHER_FILE = 30.0
UNPACK_SECONDS = 20.0
# A mail itself, and the attachments that are faxed with it.
MAX_MAIL_PARTS = 21
PREVIEW_SECONDS = 15.0
# Tesseract, for one page.
READER_SECONDS = 60.0
READER_MEMORY = 1 * 1024 * 1024 * 1024
WORKER_OUTPUT_BYTES = 128 * 1024 * 1024
