"""The Chinese numbering plan (country code 86): area codes, mobiles, freephone and short service numbers."""

import re
from dataclasses import dataclass
from enum import StrEnum

COUNTRY = "86"
TRUNK_PREFIX = "0"
INTERNATIONAL_PREFIX = "00"

# A bare number of up to this many digits is a local one.
LONGEST_LOCAL = 8
SHORTEST_LOCAL = 3

# In the order of the regions. No code begins with 86, 40 or 80, and none of two digits begins one of three.
_AREAS = """
10 20 21 22 23 24 25 27 28 29
310 311 312 313 314 315 316 317 318 319 335 349 350 351 352 353 354 355 356 357 358 359
370 371 372 373 374 375 376 377 379 391 392 393 394 395 396 398
411 412 415 416 417 418 419 421 427 429 431 432 433 434 435 436 437 438 439
451 452 453 454 455 456 457 458 459 464 467 468 469 470 471 472 473 474 475 476 477 478 479 482 483
510 511 512 513 514 515 516 517 518 519 523 527 530 531 532 533 534 535 536 537 538 539 543 546
550 551 552 553 554 555 556 557 558 559 561 562 563 564 566 570 571 572 573 574 575 576 577 578 579 580
591 592 593 594 595 596 597 598 599 631 632 633 635 660 662 663 668 691 692
701 710 711 712 713 714 715 716 717 718 719 722 724 728 730 731 734 735 736 737 738 739 743 744 745 746
750 751 752 753 754 755 756 757 758 759 760 762 763 766 768 769
770 771 772 773 774 775 776 777 778 779 790 791 792 793 794 795 796 797 798 799
812 813 816 817 818 825 826 827 830 831 832 833 834 835 836 837 838 839 851 854 855 856 857 858 859
870 871 872 873 874 875 876 877 878 879 883 886 887 888 891 892 893 894 895 896 897 898
901 902 903 906 908 909 911 912 913 914 915 916 917 919 930 931 932 933 934 935 936 937 938 939 941 943
951 952 953 954 955 970 971 972 973 974 975 976 977 979 990 991 992 993 994 995 996 997 998 999
"""
# Joined to a neighbour since; still in address books, and still routed by some networks.
_AREAS_RETIRED = "378 410 413 414 448 565 634 732 733 765 852 853 890 899 910"
AREAS = frozenset((_AREAS + _AREAS_RETIRED).split())

_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_FREEPHONE = re.compile(r"[48]00\d{7}", re.ASCII)
# 114, 10000, 12345, 95588, 96xxx: reached in each area under the same digits.
_SERVICE = re.compile(r"1\d\d|1\d{4}|9[56]\d{3}", re.ASCII)


class Kind(StrEnum):
    """What a national number is."""

    AREA = "area"
    MOBILE = "mobile"
    FREEPHONE = "freephone"  # 400 and 800: the same everywhere, at the local rate or free


@dataclass(frozen=True)
class National:
    """A Chinese number without country code and trunk prefix; `area` is "" for mobiles and 400/800."""

    kind: Kind
    area: str
    local: str

    @property
    def digits(self) -> str:
        """Area code and local number together."""
        return self.area + self.local


def area_of(digits: str) -> str:
    """The area code that `digits` begin with, or "" if there is none."""
    return next((digits[:length] for length in (2, 3) if digits[:length] in AREAS), "")


def split(digits: str) -> National | None:
    """Take a national number apart; None if it is none. Lenient on the length of local numbers, as networks differ."""
    if _MOBILE.fullmatch(digits):
        return National(Kind.MOBILE, "", digits)
    if _FREEPHONE.fullmatch(digits):
        return National(Kind.FREEPHONE, "", digits)
    area = area_of(digits)
    local = digits[len(area) :]
    if not area or len(local) < SHORTEST_LOCAL or local.startswith(TRUNK_PREFIX):
        return None
    return National(Kind.AREA, area, local)


def split_without_trunk_prefix(digits: str) -> National | None:
    """Take apart 10 or 11 digits that say their area without the 0 (7468454999); None if the lengths do not fit.

    Two-digit areas have local numbers of 8 digits, the others of 7 or 8.
    """
    found = split(digits)
    if found is None or found.kind is not Kind.AREA:
        return found
    fits = len(found.local) == LONGEST_LOCAL or (len(found.area) == 3 and len(found.local) == LONGEST_LOCAL - 1)
    return found if fits else None


def split_after_country_code(digits: str) -> National | None:
    """Take apart what follows +86; None if the area code seems forgotten.

    +86 7721919 is not 1919 in area 772: behind +86 a subscriber has 9 digits or more with the area.
    """
    found = split(digits.removeprefix(TRUNK_PREFIX))
    if found is None or found.kind is not Kind.AREA:
        return found
    return found if len(found.digits) > LONGEST_LOCAL else None


def is_service(digits: str) -> bool:
    """Whether `digits` are a short service number (3 or 5 digits), which each area has for itself."""
    return _SERVICE.fullmatch(digits) is not None
