"""What a document may cost, known before anything is decoded."""

MAX_FILE_BYTES = 25 * 1024 * 1024
MAX_PAGES = 200
MAX_PAGE_PIXELS = 40_000_000

# One worker process: its address space in bytes, its seconds, the largest file that it may write.
WORKER_MEMORY = 1 * 1024 * 1024 * 1024
INSPECT_SECONDS = 20.0
CONVERT_SECONDS = 55.0
PREVIEW_SECONDS = 15.0
WORKER_OUTPUT_BYTES = 128 * 1024 * 1024
