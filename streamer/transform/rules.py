"""The operator's choices, as plain values. Defaults are the behaviour documented without any."""

from dataclasses import dataclass, field

from streamer.transform import defaults
from streamer.transform.activity_rules import ActivityRules, EventRules
from streamer.transform.choices import Companies, Deletion, Link
from streamer.transform.event_lists import EventLists
from streamer.transform.suppression import Suppressed
from streamer.transform.trait_rules import TraitRules


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator may choose about which calls are delivered, and as what."""

    consent_categories: frozenset[str] = frozenset()
    """Consent categories Planhat belongs to; all must be granted. None: consent is not asked for."""
    destination: str = "Planhat"
    """Planhat's key in `integrations`; case-sensitive, as Segment's are."""
    transport_aliases: tuple[str, ...] = ()
    """Keys in `integrations` that stand for Planhat where its own is absent, in order of preference.

    Segment's replays say `{"All": false, "<transport>": true}`: name the transport (`Kafka`) here
    for replayed calls to be delivered.
    """
    link: Link = Link.ALWAYS
    forwards: bool = False
    """Passthrough mode: calls are sent on as they are."""
    deliver_screens: bool = False
    """Whether screen calls become activities, as page calls do. Segment's destination ignores them."""

    # --- opt-outs of the operator's, and companies -------------------------------------------------
    suppressed: Suppressed | None = field(default=None, repr=False)
    """Users of whom nothing is told; None where there is no list."""
    events: EventLists | None = None
    """Track calls that are told, by the event's name; None: all."""
    companies: Companies = Companies.FIRST

    # --- the mapping -------------------------------------------------------------------------------
    identify: TraitRules = field(default=defaults.IDENTIFY, repr=False)
    group: TraitRules = field(default=defaults.GROUP, repr=False)
    track: ActivityRules = field(default=defaults.TRACK, repr=False)
    track_events: EventRules | None = field(default=None, repr=False)
    """In the place of `track`, for the events they name; None: for none."""
    page: ActivityRules = field(default=defaults.PAGE, repr=False)
    screen: ActivityRules = field(default=defaults.SCREEN, repr=False)
    deletion: Deletion = Deletion.SKIP

    asks_each_call: bool = field(init=False, repr=False, compare=False)
    """Whether a call may be held back that says nothing of destinations itself."""

    def __post_init__(self) -> None:
        asks = self.suppressed is not None or self.events is not None or bool(self.consent_categories)
        object.__setattr__(self, "asks_each_call", asks)
