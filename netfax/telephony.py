"""Every name that Python and Asterisk's dialplan share, each once.

The dialplan's templates take these names as `tel.<CONSTANT>`; nothing else may spell them.
"""

import secrets
import string

# --- Paths inside the gateway's sandbox (its folder of `Settings.gateway_dir` is mounted there) ---
HOME = "/netfax"
SPOOL_OUT = "spool/out"
SPOOL_IN = "spool/in"
JOURNAL = "journal"
CEL_CSV = "cel/cel.csv"

# --- Whom the gateway's SIP answers though it is no trunk: our own question whether it lives ---
# A trunk's name has no capital letters.
PROBE_ENDPOINT = "PROBE"
PROBE_ADDRESS = "127.0.0.9"

# --- Contexts ---
CONTEXT_OUT = "netfax-out"
CONTEXT_IN = "netfax-in"
# Every trunk's context includes this one, which knows what a called number looks like.
CONTEXT_NUMBERS = "netfax-numbers"
# Each trunk's calls enter by a context of its own, which is this prefix and the trunk's name.
CONTEXT_TRUNK_PREFIX = "netfax-trunk-"
CONTEXT_REFUSE = "netfax-refuse"
# The extension at which a call starts in CONTEXT_OUT (what Originate names) and in CONTEXT_IN.
START = "s"

# --- Channel variables set by Originate, values of `AMI_VALUE` characters only ---
ATTEMPT_ID = "NETFAX_ATTEMPT"
DIGITS = "NETFAX_DIGITS"  # DTMF after the answer: 0-9 * # and w, which waits half a second; empty for none
DIGITS_WAIT = "NETFAX_DIGITS_WAIT"  # seconds before them
SEND_MODE = "NETFAX_MODE"  # one of MODE_T38, MODE_AUDIO
SEND_ECM = "NETFAX_ECM"  # yes | no
SEND_MODEM = "NETFAX_MODEM"  # the fastest modem to try: v17 | v29 | v27
STATION_ID = "NETFAX_STATION"  # our own station id, digits (T.30 5.3.6.2.4 CSI, 5.3.6.2.5 TSI)
# Seconds after the answer at which the call is cut, empty for DEFAULT_CALL_LIMIT. SpanDSP's own timers run on the audio
# that comes in: with a peer that sends no audio (only RTCP) nothing else would ever end the call.
CALL_LIMIT = "NETFAX_LIMIT"
DEFAULT_CALL_LIMIT = 7200

MODE_T38 = "t38"
MODE_AUDIO = "audio"
# What FAXMODE says of a call that went by audio.
FAXMODE_AUDIO = "audio"
MODEMS = ("v17", "v29", "v27")
# SEND_MODEM: (modems to offer, the fastest rate in bit/s); Asterisk refuses a rate that no modem of the list has.
MODEM_LISTS = {"v17": ("v17,v29,v27", 14400), "v29": ("v29,v27", 9600), "v27": ("v27", 4800)}

# --- Channel variables of an inbound call, set by the dialplan ---
RECEPTION_ID = "NETFAX_RECEPTION"  # ${UUID()}: names the spool and the journal file
TRUNK = "NETFAX_TRUNK"
CALLED = "NETFAX_CALLED"
CALLER = "NETFAX_CALLER"
# … and by AGI; DECISION is set last, and the dialplan goes by it alone (never by AGISTATUS).
DECISION = "NETFAX_DECISION"

# AGI may also set STATION_ID, the station id to answer with; the called number is taken when it is empty.

DECISION_ACCEPT = "accept"
DECISION_UNALLOCATED = "unallocated"  # Q.850 cause 1
DECISION_CONGESTION = "congestion"  # Q.850 cause 34
REFUSAL_CAUSES = {DECISION_UNALLOCATED: 1, DECISION_CONGESTION: 34}

# --- AGI scripts: agi://127.0.0.1:PORT/<script>, argument 1 is the id; after the last comes the secret `agi` ---
AGI_INBOUND_START = "inbound_start"  # arguments: reception id, trunk name
AGI_INBOUND_DONE = "inbound_done"  # argument: reception id
AGI_OUTCOME = "outcome"  # argument: attempt id
AGI_PING = "ping"
PONG = "NETFAX_PONG"

# --- Journal: one file a call, one line of `key=value` parted by spaces; values from outside in BASE64 ---
JOURNAL_OUT_PREFIX = "out-"
JOURNAL_IN_PREFIX = "in-"
# key: (variable or function of the dialplan, whether it is BASE64)
JOURNAL_FIELDS_COMMON = {
    "uniqueid": ("UNIQUEID", False),
    "status": ("FAXSTATUS", False),
    "error": ("FAXERROR", True),
    "statusstr": ("FAXSTATUSSTRING", True),
    "pages": ("FAXPAGES", False),
    "rate": ("FAXBITRATE", False),
    "resolution": ("FAXRESOLUTION", True),
    "mode": ("FAXMODE", False),
    "station": ("REMOTESTATIONID", True),
    "seconds": ("CDR(billsec)", False),
    "epoch": ("EPOCH", False),
}
JOURNAL_FIELDS_OUT = {"id": (ATTEMPT_ID, False)} | JOURNAL_FIELDS_COMMON
JOURNAL_FIELDS_IN = {
    "id": (RECEPTION_ID, False),
    "trunk": (TRUNK, False),
    "called": (CALLED, True),
    "caller": (CALLER, True),
    "decision": (DECISION, False),
    "start": ("CDR(start,u)", False),
} | JOURNAL_FIELDS_COMMON
# The last word of a whole line; a line without it is still being written.
JOURNAL_END = "end"
# Scratch variables in which the dialplan builds the line.
JOURNAL_LINE = "NETFAX_LINE"
JOURNAL_PART = "NETFAX_PART"

# --- CEL: Asterisk's own record of every channel, one CSV line an event (all fields in double quotes) ---
CEL_EVENTS = ("CHAN_START", "ANSWER", "HANGUP")
# `eventtime` is seconds since 1970 with six decimals; `eventextra` of HANGUP is JSON with `hangupcause` (Q.850).
CEL_FIELDS = ("eventtype", "eventtime", "uniqueid", "linkedid", "channame", "eventextra")

# --- AMI ---
AMI_USER_BRIDGE = "netfax-bridge"
AMI_USER_APPLY = "netfax-apply"
AMI_USER_NETWORK = "netfax-network"
# What a `Variable:` of ours may hold; Asterisk splits the value on commas and takes CR LF for a new header.
AMI_VALUE = frozenset(string.ascii_letters + string.digits + "_-*#")

ATTEMPT_ID_LENGTH = 32


def new_attempt_id(prefix: str) -> str:
    """A fresh call id: the installation's secret prefix (8 hex digits) and 24 random ones.

    ChannelIds conflict by prefix in Asterisk, so they have one fixed length.
    """
    return prefix + secrets.token_hex((ATTEMPT_ID_LENGTH - len(prefix)) // 2)


def trunk_context(trunk: str) -> str:
    """The context in which the calls of a trunk enter the dialplan."""
    return CONTEXT_TRUNK_PREFIX + trunk
