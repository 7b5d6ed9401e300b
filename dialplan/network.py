"""The simulated telephone network: its subscribers, its addresses and the names that its dialplan shares with Python.

It is a second Asterisk that plays the public network for the all-in-one machine and the tests: numbers that answer
as fax machines, numbers that misbehave, and a machine that calls us on command (`dialplan.network_phone`).
"""

from dataclasses import dataclass
from enum import StrEnum

from netfax import telephony as tel

# The network's two faces, each a trunk of ours: by the first it speaks T.38, by the second G.711 alone.
T38_ADDRESS = "127.0.0.2"
G711_ADDRESS = "127.0.0.3"

# Every subscriber answers with each of these before the local number.
AREA_PREFIXES = ("", "0736", "86736", "0086736")

# --- Folders below the network's home ---
FAX_IN = "fax-in"  # <called>-<unique id>.tif as received, and the same name with .txt that tells of it
FAX_OUT = "fax-out"  # <call id>.tif to send, and the same name with .txt that tells what came of it

# --- Contexts and endpoints ---
CONTEXT_SUBSCRIBERS = "net-subscribers"  # what a caller may dial
CONTEXT_LINE = "net-line"  # one extension a behaviour
CONTEXT_MACHINE = "net-machine"  # a fax machine that receives
CONTEXT_CALL = "net-call"  # a fax machine that calls us
CONTEXT_WATCH = "net-watch"  # cuts another call; one extension a behaviour that drops
ENDPOINT_T38 = "gateway-t38"
ENDPOINT_G711 = "gateway-g711"
ENDPOINT_NO_T38 = "gateway-no-t38"  # reached by the first address, for the subscriber that refuses T.38

# --- Channel variables ---
CALLED = "NET_CALLED"
NAME = "NET_NAME"  # of the files of a received fax, without suffix
ECM = "NET_ECM"
MODEM = "NET_MODEM"
EXTENSION = "NET_EXTENSION"  # the digits that a caller dialled to the switchboard
WATCHED = "NET_WATCHED"  # the channel that CONTEXT_WATCH cuts
CALLS = "NET_CALLS_"  # and a number: how many calls it has had since the network's start, a global variable
CALL_ID = "NET_CALL"
STATION = "NET_STATION"  # BASE64
MODE = "NET_MODE"

# What is told of a received fax and of one that was sent: key: (source, BASE64?), as in the journal of the gateway.
_RESULT_FIELDS = {
    "status": ("FAXSTATUS", False),
    "error": ("FAXERROR", True),
    "statusstr": ("FAXSTATUSSTRING", True),
    "pages": ("FAXPAGES", False),
    "rate": ("FAXBITRATE", False),
    "mode": ("FAXMODE", False),
    "station": ("REMOTESTATIONID", True),
}
RECEIVED_FIELDS = {"called": (CALLED, False), "caller": ("CALLERID(num)", True)} | _RESULT_FIELDS
SENT_FIELDS = {"id": (CALL_ID, False)} | _RESULT_FIELDS


class Behaviour(StrEnum):
    """What a subscriber does with a call; the values are extensions of CONTEXT_LINE."""

    FAX = "fax"
    DROPS_ON_PAGE_2 = "drops"
    DROPS_ON_PAGE_1 = "drops-on-page-1"
    SWITCHBOARD = "switchboard"
    BUSY = "busy"
    UNALLOCATED = "unallocated"
    CONGESTION = "congestion"
    RINGS_FOR_EVER = "rings"
    RINGS_LONG = "rings-long"
    VOICE = "voice"
    SILENCE = "silence"
    NO_MEDIA = "no-media"
    HANGS_UP = "hangs-up"


# Q.850 causes of the calls that are refused.
REFUSALS = {Behaviour.BUSY: 17, Behaviour.UNALLOCATED: 1, Behaviour.CONGESTION: 34}


@dataclass(frozen=True)
class Subscriber:
    """A number of the network and what answers there; modems as `SEND_MODEM` of `netfax.telephony`.

    With `first_calls` only so many calls since the network's start meet the behaviour, and later ones a fax machine.
    """

    number: str
    behaviour: Behaviour
    description: str
    ecm: bool = True
    fastest_modem: str = "v17"
    t38: bool = True
    first_calls: int | None = None


SUBSCRIBERS = (
    Subscriber("7721001", Behaviour.FAX, "a fax machine: T.38, ECM, V.17"),
    Subscriber("7721002", Behaviour.FAX, "a fax machine that refuses T.38: G.711 alone", t38=False),
    Subscriber("7721003", Behaviour.FAX, "a fax machine that also calls us"),
    Subscriber("7721004", Behaviour.FAX, "a fax machine without ECM", ecm=False),
    Subscriber("7721005", Behaviour.FAX, "an old fax machine: V.27ter alone", fastest_modem="v27"),
    Subscriber(
        "7721006",
        Behaviour.DROPS_ON_PAGE_2,
        "hangs up 6 s after page 1: within page 2, unless it is light",
    ),
    Subscriber("7721007", Behaviour.DROPS_ON_PAGE_2, "the same on its first call; takes the next ones", first_calls=1),
    Subscriber("7721008", Behaviour.DROPS_ON_PAGE_2, "the same on its first two calls", first_calls=2),
    Subscriber("7721009", Behaviour.DROPS_ON_PAGE_1, "hangs up during page 1 on its first call", first_calls=1),
    Subscriber("7721010", Behaviour.RINGS_LONG, "a fax machine that rings for 25 seconds before it answers"),
    *(Subscriber(f"77210{last}", Behaviour.FAX, "one more fax machine") for last in range(11, 20)),
    Subscriber("64802994", Behaviour.SWITCHBOARD, "a switchboard: its fax machine has extension 801"),
    Subscriber("7722017", Behaviour.BUSY, "busy"),
    Subscriber("7722001", Behaviour.UNALLOCATED, "an unallocated number"),
    Subscriber("7722034", Behaviour.CONGESTION, "congestion"),
    Subscriber("7722018", Behaviour.RINGS_FOR_EVER, "rings for ever"),
    Subscriber("7722020", Behaviour.VOICE, "a person's voice"),
    Subscriber("7722021", Behaviour.SILENCE, "answers, then silence"),
    Subscriber("7722023", Behaviour.NO_MEDIA, "answers and sends no audio at all: only a limit ends the call"),
    Subscriber("7722022", Behaviour.HANGS_UP, "answers and hangs up after 3 seconds"),
)
SWITCHBOARD_EXTENSION = "801"


def spellings(number: str) -> tuple[str, ...]:
    """Every digit string under which a subscriber answers."""
    return tuple(prefix + number for prefix in AREA_PREFIXES)


def modem_list(subscriber: Subscriber) -> str:
    """What the subscriber's machine offers, for FAXOPT(modem)."""
    return tel.MODEM_LISTS[subscriber.fastest_modem][0]


def max_rate(subscriber: Subscriber) -> int:
    """The fastest rate of the subscriber's machine in bit/s."""
    return tel.MODEM_LISTS[subscriber.fastest_modem][1]
