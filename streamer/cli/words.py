"""What the command line says of itself: the words of `--help`, and nothing else."""

from typing import NamedTuple

from streamer.errors import PlanhatMisconfigured, SourceError, StreamerError, TooManyDeadLetters, UsageError

DESCRIPTION = """\
Stream Segment events from Kafka into Planhat.

Reads Avro records, turns each identify, group, track and page call into
Planhat operations, and commits an offset only once Planhat has accepted
everything before it.
"""

EPILOG = f"""\
settings:
  Every setting is an environment variable named STREAMER_*, or the content of
  the file that STREAMER_*_FILE names; there is no settings file. `streamer
  settings` lists them with the values in force.

examples:
  # Watch it work, with stand-ins for Kafka and for Planhat.
  $ streamer demo

  # Verify settings, schemas, broker, topics and Planhat token, then exit.
  $ streamer check

  # Show what Planhat would be told about events in a file; send nothing.
  $ streamer transform events.jsonl

  # Run until SIGTERM.
  $ streamer run

exit status:
  0  ended cleanly
  {StreamerError.exit_code}  ended by an unexpected error; uncommitted events will be read again
  {UsageError.exit_code}  bad command line or bad settings
  {SourceError.exit_code}  a schema, the broker or a topic is missing or cannot be used
  {PlanhatMisconfigured.exit_code}  Planhat refused our credentials
  {TooManyDeadLetters.exit_code}  too many events went to the dead-letter topic
"""


class CommandHelp(NamedTuple):
    """One line for the list of commands, and what the command says of itself."""

    about: str
    more: str
    examples: str


COMMANDS = {
    "run": CommandHelp(
        "stream events until told to stop",
        """\
Join the consumer group and deliver events until SIGTERM or SIGINT. Then nothing
new is read, requests already sent are waited for, and what was settled is
committed; all else is read again by whoever reads next.
""",
        """\
  # Until SIGTERM.
  $ streamer run
""",
    ),
    "check": CommandHelp(
        "verify everything `run` needs, then exit",
        """\
Verify settings, schemas, broker, topics and Planhat's API token, say what was
verified and what cannot be, and exit. No record is read, no offset committed.
""",
        """\
  # Start only if everything is in place.
  $ streamer check && streamer run
""",
    ),
    "demo": CommandHelp(
        "watch the pipeline at work",
        """\
Run the real pipeline between a stand-in for Kafka and one for Planhat, on events
made for the purpose, and account for every one of them.
""",
        """\
  $ streamer demo

  # Leave it running, to look around.
  $ streamer demo --keep
""",
    ),
    "sandbox": CommandHelp(
        "serve a stand-in for Planhat",
        """\
Serve a stand-in for Planhat's API over HTTP, with a page that shows what it
holds. It is a stand-in: what Planhat does not document is a switch of it.
""",
        """\
  $ streamer sandbox --port 8080
""",
    ),
    "transform": CommandHelp(
        "print the requests for events in a file or a topic",
        """\
Print the requests that would tell Planhat of each event; send nothing. A file has
one event a line, or one event that fills it, or is an Avro container file. The
tenant token in URLs is masked.

With --topic, what the topic holds is read, from its beginning if nothing else is
asked for, up to the end seen at the start. No group is joined, nothing committed.

With --json: one line per event with index, type, messageId, outcome (operations,
skipped or invalid), reason, and requests (each with method, url and body); of a
topic partition and offset too; with --why also why. The exit status is 0 whatever
the events were.

With --mapping NEW --against OLD: what NEW would change, counted by kind of change,
field and reason, with a few examples, values masked; --json prints one object.
""",
        """\
  $ streamer transform events.jsonl

  # Which events would be skipped or are invalid, and why?
  $ streamer transform --json events.jsonl | jq 'select(.outcome != "operations")'

  # Which rule made each field?
  $ streamer transform --why tests/fixtures/identify/full_profile.event.json

  # The ten latest events of each partition; and one record, by its place.
  $ streamer transform --topic --offset -10
  $ streamer transform --topic --partition 3 --offset 1042 --count 1

  # What would a new mapping change, of the last day's events?
  $ streamer transform --mapping new.toml --against --topic --from 1d
""",
    ),
    "explain": CommandHelp(
        "tell why somebody is, or is not, in Planhat",
        """\
Tell one enduser's or company's story: each call about it, what becomes of that by
the rules in force, whether the group is finished with it, its dead letters, and a
verdict in plain words. With --ask-planhat also what Planhat has now. What was said
of it stays masked unless asked for. No group is joined, and nothing is changed.

The exit status is 0 whatever the verdict is; 4 where Planhat refuses to be asked.
""",
        """\
  # Why is this contact not in Planhat?
  $ streamer explain --email somebody@acme.example --ask-planhat

  # Everything of the last month about one user, for a program.
  $ streamer explain --user u-123 --since 30d --json

  $ streamer explain --company acme
""",
    ),
    "mapping": CommandHelp(
        "check a mapping file, try it on pairs, list its custom fields",
        """\
A mapping file says what becomes of traits, properties and events: what is renamed,
dropped, retyped, sent to a field, a custom field or a metric. Without one the
defaults hold. STREAMER_MAPPING_FILE names it.
""",
        """\
  # Is the file sound?
  $ streamer mapping check mapping.toml

  # Do my own pairs of events and requests still hold?
  $ streamer mapping test pairs --mapping mapping.toml
""",
    ),
    "publish": CommandHelp(
        "write events in a file to the topic, as Avro",
        """\
Write each event of a file to the topic as an Avro record of its bundled schema.
One event a line, or one event that fills the file. Events that no schema
describes are named and left out, and the exit status is then 2.
""",
        """\
  $ streamer publish events.jsonl

  # To another topic, from another program.
  $ make-events | streamer publish --topic segment.rehearsal -
""",
    ),
    "dead-letters": CommandHelp(
        "list, show and replay dead letters",
        """\
Look into the dead-letter topic, and deliver what it holds once the cause is
mended. What users said stays masked unless asked for. Listing and showing join
no group and change nothing.
""",
        """\
  # What is there, and why?
  $ streamer dead-letters list --since 2h

  # What would be sent, were it replayed now?
  $ streamer dead-letters replay --reason refused --dry-run
""",
    ),
    "schemas": CommandHelp(
        "list the bundled Avro schemas, check and register them",
        """\
Show the schemas that come with this program, see whether a registry would take
them, and put them there. STREAMER_SCHEMA_REGISTRY_URL names the registry, with
_USER, _PASSWORD and _CA beside it.
""",
        """\
  $ streamer schemas list

  # Would the registry take them? Then put them there.
  $ streamer schemas check && streamer schemas register
""",
    ),
    "settings": CommandHelp(
        "list every setting, its value and where it came from",
        """\
List every setting with the value in force, secrets masked, and where the value
came from: default, environment or file. Wrong settings are all reported.
""",
        """\
  $ streamer settings

  $ STREAMER_HTTP_PORT=9000 streamer settings | grep HTTP
""",
    ),
}
"""In the order in which they are listed."""

MAPPING = {
    "check": CommandHelp(
        "name every mistake in a mapping file",
        """\
Read a mapping file as `run` would at its start. Every mistake is named with its
line and with what to do, and the exit status is then 2; what is allowed and still
doubtful is named too. Nothing is connected to.
""",
        """\
  $ streamer mapping check mapping.toml

  # For an editor, or a check before a merge.
  $ streamer mapping check --json mapping.toml | jq '.mistakes[].line'
""",
    ),
    "test": CommandHelp(
        "try pairs of an event and its requests",
        """\
Each <case>.event.json in the folder must become exactly what <case>.planhat.json
says: the requests as `transform --json` shows them, or {"skipped": <reason>}, or
{"invalid": <reason>}, whatever host the settings name. A <case>.mapping.toml is
that case's own mapping. What differs is shown, and the exit status is then 1.
Nothing is sent.
""",
        """\
  $ streamer mapping test pairs --mapping mapping.toml

  # Make a pair of an event: what it becomes today is what is expected from now on.
  $ streamer transform --json signup.event.json | jq .requests > signup.planhat.json
""",
    ),
    "fields": CommandHelp(
        "list the custom fields that a sample writes to",
        """\
List the custom fields that these events would write to: how often, with values of
which type, and whether Planhat has such a field. Planhat is asked only where
STREAMER_PLANHAT_API_TOKEN is set, by a call or a few of the quota. Nothing is
written, and no value is shown.
""",
        """\
  $ streamer mapping fields events.jsonl

  # Which of them are not at Planhat yet?
  $ streamer mapping fields --json events.jsonl | jq -r 'select(.atPlanhat == false).name'
""",
    ),
}
"""The commands of `streamer mapping`."""

SCHEMAS = {
    "list": CommandHelp(
        "list the bundled schemas",
        """\
List each bundled schema with the fingerprint that single-object framing carries, and
its fields in short. Where a registry is set, also its subject there, with id and
version of what it holds, and how that compares: equal, older (a version released
before), newer (it has this schema and later ones), other (none of ours) or absent.
""",
        """\
  $ streamer schemas list

  # The id to write with, for `streamer publish --framing confluent:<id>`.
  $ streamer schemas list --json | jq -r 'select(.schema == "track").id'
""",
    ),
    "check": CommandHelp(
        "see whether a registry would take them",
        """\
Ask the registry whether each bundled schema may become its subject's newest version,
at the subject's level of compatibility, and tell its reasons. Where the level is
NONE, which takes anything, each must read and be read by the newest version. Nothing
is written. Without a registry, or with --released, each is compared with every
version of it that was released. The exit status is 3 where one is not compatible.
""",
        """\
  $ streamer schemas check

  # In a build, with no registry near.
  $ streamer schemas check --released
""",
    ),
    "register": CommandHelp(
        "register those that are not there yet",
        """\
Check all of them as `check` does; if each may go in, register those that the registry
does not have, one by one, and say subject, version and id. What is there is left
alone, so it can be run again at any time.
""",
        """\
  # Look first, then do it.
  $ streamer schemas register --dry-run
  $ streamer schemas register

  # For producers with TopicRecordNameStrategy.
  $ streamer schemas register --subjects topic-record --topic segment.events
""",
    ),
}
"""The commands of `streamer schemas`."""

DEAD_LETTERS = {
    "list": CommandHelp(
        "list dead letters, oldest first",
        """\
List the letters that a replay would take: why each is one, who it is about, and
where its original was read. A letter that was written twice is one letter.
""",
        """\
  # Why did this person's events not arrive?
  $ streamer dead-letters list --user u-123

  # Counted by reason, of the last day.
  $ streamer dead-letters list --since 1d --json | jq -r .reason | sort | uniq -c
""",
    ),
    "show": CommandHelp(
        "show one dead letter",
        """\
Show everything about one letter: the reason in words, what replays made of it,
the event with its values masked, and what would become of it now.
""",
        """\
  $ streamer dead-letters show 3:1042

  # With what the event says.
  $ streamer dead-letters show 3:1042 --reveal
""",
    ),
    "replay": CommandHelp(
        "deliver dead letters after all",
        """\
Send the letters, in the order of their originals, straight through the engine, up
to the end of the topic seen at the start. What was delivered is noted in the
topic itself, so each goes once, however often it is interrupted and whatever the
filters; letters that a killed replay leaves in doubt are sent again and named.
What still cannot be delivered stays the letter it is. A letter that would put
older state over a later call of the same user or company is held back and listed.
One replay runs at a time, in a group of its own (<group>.replay).
""",
        """\
  # Look first, then do it.
  $ streamer dead-letters replay --reason refused --dry-run
  $ streamer dead-letters replay --reason refused

  # Gently, beside a busy pipeline.
  $ streamer dead-letters replay --rate 50 --calls-per-minute 10
""",
    ),
}
"""The commands of `streamer dead-letters`."""
