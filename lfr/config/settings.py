"""The table of settings: name, type, default, variable, help, and whether the value is secret.

The rows are the fields of `Settings`. The configuration file, the environment, the command line,
`lfr config` and the documentation all read this table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

Value: TypeAlias = str | int | float | tuple[str, ...] | Mapping[str, str]
"""The value of a setting: a single value, a list of texts, or texts by name."""


_REQUEST_ROLES = ("request", "worker")
_API_ROLES = ("api", "console")
_ARCHIVE_ROLES = (*_API_ROLES, "lifecycle", "worker")
_NOTIFY_ROLES = ("notify",)
_TRACES_ROLES = ("traces",)
"""The roles that need the tokens of requests, those of the API, the key for archives, the secrets of notices,
those of traces."""


def _setting(
    default: Any,
    name: str,
    help: str,
    *,
    variable: str = "",
    second_variable: str = "",
    secret: bool = False,
    roles: tuple[str, ...] = (),
) -> Any:
    """Return a field of `Settings`. The default of `variable` is `LFR_` and the name in the file."""
    variable = variable or "LFR_" + name.replace(".", "_").upper()
    metadata = {"name": name, "help": help, "variable": variable, "secret": secret, "default": default}
    metadata |= {"roles": roles, "second_variable": second_variable}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effective value of each setting. Floats whose names end in `_seconds` are durations."""

    redis_url: str = _setting(
        "",
        "redis.url",
        "address as redis://, rediss://, unix:// or redis+sentinel://; overrides host and port",
    )
    redis_host: str = _setting("0.0.0.0", "redis.host", "host of Redis", variable="REDIS_HOST")
    redis_port: int = _setting(6379, "redis.port", "port of Redis", variable="REDIS_PORT")
    redis_username: str = _setting(
        "", "redis.username", "user name for Redis, if it requires one", variable="REDIS_USERNAME"
    )
    redis_password: str = _setting(
        "", "redis.password", "password for Redis", variable="REDIS_PASSWORD", secret=True
    )
    redis_prefix: str = _setting(
        "",
        "redis.prefix",
        "what all keys begin with, such as `staging:`: for several installations on one Redis",
    )
    redis_sentinel_username: str = _setting(
        "", "redis.sentinel_username", "user name for the Sentinels of a redis+sentinel:// URL"
    )
    redis_sentinel_password: str = _setting(
        "", "redis.sentinel_password", "password for these Sentinels", secret=True
    )
    redis_replicas: int = _setting(
        0, "redis.replicas", "how many replicas are to confirm a start, an event, an answer before it counts"
    )
    redis_replicas_timeout_seconds: float = _setting(
        2.0, "redis.replicas_timeout", "how long to wait for these replicas; up to 0.4 of redis.timeout"
    )
    redis_replicas_store: str = _setting(
        "memory", "redis.replicas_store", "where they must have it: memory, or disk (with the primary)"
    )
    redis_timeout_seconds: float = _setting(
        10.0, "redis.timeout", "time without a reply after which a connection counts as lost"
    )
    redis_commands: tuple[str, ...] = _setting(
        ("usual",),
        "redis.commands",
        "commands that redis: tasks may send; `usual` stands for those that docs/tasks.md lists",
    )
    stream: str = _setting("workflows:run", "stream", "key of the stream of events")
    log_level: str = _setting(
        "INFO", "log.level", "least level to log: DEBUG, INFO, WARNING or ERROR", variable="LOG_LEVEL"
    )
    logs_attempt: int = _setting(
        65_536,
        "logs.attempt",
        "how many bytes of what one attempt writes are kept: its first and its last lines; 0: nothing is",
    )
    logs_workflow: int = _setting(
        1_048_576,
        "logs.workflow",
        "how many bytes of that are kept for a workflow, and for each item: of more, the latest",
    )
    batch: int = _setting(500, "batch", "maximum number of events that a role reads in one pass")
    values_large: int = _setting(
        65_536,
        "values.large",
        "size in bytes from which on inputs and outputs of tasks are stored once, and named in events",
    )
    lease_seconds: float = _setting(
        5.0,
        "lease",
        "time after which another process reclaims the events of a dead lifecycle, wait or receipts role",
    )
    tasks_lease_seconds: float = _setting(
        30.0, "tasks.lease", "time after which another worker reclaims the tasks of a dead one"
    )
    tasks_deliveries: int = _setting(
        5, "tasks.deliveries", "how often a task is handed out whose worker dies with it, before it fails"
    )
    tasks_forget_seconds: float = _setting(
        3600.0,
        "tasks.forget",
        "time without a live worker after which other workers may do the tasks of a group",
    )
    receipts_forget_seconds: float = _setting(
        3600.0,
        "receipts.forget",
        "time without a live consumer after which the stream is cleared without waiting for a group",
    )
    events_retain_seconds: float = _setting(
        3600.0,
        "events.retain",
        "time that an event is buffered for a wait:event that begins later, and that an event which "
        "nobody processes stays on the stream",
    )
    retention_finished_seconds: float = _setting(
        0.0,
        "retention.finished",
        "time after which lifecycles delete a workflow that has FINISHED; 0: they never do",
    )
    retention_failed_seconds: float = _setting(
        0.0, "retention.failed", "the same for a workflow that has FAILED, once none of its tasks runs"
    )
    retention_terminated_seconds: float = _setting(
        0.0, "retention.terminated", "the same for a workflow that was TERMINATED"
    )
    retention_archive: str = _setting(
        "",
        "retention.archive",
        "folder, or s3://BUCKET/FOLDER, in which lifecycles archive a workflow before they delete it",
    )
    history_most: int = _setting(
        50_000,
        "history.most",
        "how many entries the history of a workflow may have; lifecycles remove older ones, and say so",
    )
    limits_memory: float = _setting(
        0.9, "limits.memory", "the share of the maxmemory of Redis above which no workflow is started"
    )
    resources_allow: tuple[str, ...] = _setting(
        (),
        "resources.allow",
        "folders, URL prefixes, addresses and networks that flows may load from and store to",
    )
    resources_size: int = _setting(
        10_000_000, "resources.size", "maximum size in bytes of a resource, loaded or stored"
    )
    resources_timeout_seconds: float = _setting(
        30.0, "resources.timeout", "total time that loading or storing a resource may take"
    )
    iterate_limit: int = _setting(
        100,
        "iterate.limit",
        "maximum number of items of an iterated step (`*`) that run at the same time; iterations within "
        "each other share it",
    )
    calls_depth: int = _setting(
        16,
        "calls.depth",
        "in how many workflows, one within the other, a called flow may run: each call and each iteration "
        "around it counts",
    )
    calls_total: int = _setting(
        100_000,
        "calls.total",
        "how many called flows may begin for one workflow, at all depths, without a day's pause",
    )
    request_urls: Mapping[str, str] = _setting(
        {}, "request.urls", "base URLs of request: tasks, by environment and category: global.base and so on"
    )
    request_allow: tuple[str, ...] = _setting(
        (),
        "request.allow",
        "URL prefixes, addresses and networks to which request: tasks may go besides the base URLs",
    )
    request_size: int = _setting(
        10_000_000, "request.size", "maximum size in bytes of a response in the output of a request: task"
    )
    request_token: str = _setting(
        "",
        "request.token",
        "token that request: tasks send to the servers of the base URLs",
        secret=True,
        roles=_REQUEST_ROLES,
    )
    request_token_for: tuple[str, ...] = _setting(
        (), "request.token_for", "other servers that receive the token, each as https://HOST"
    )
    request_issuer: str = _setting(
        "",
        "request.issuer",
        "a JSON file, or its text, to sign a token every hour: client_email, private_key, private_key_id",
        variable="ISSUER",
        secret=True,
        roles=_REQUEST_ROLES,
    )
    api_token: str = _setting(
        "", "api.token", "API token that allows everything", secret=True, roles=_API_ROLES
    )
    api_read_token: str = _setting(
        "", "api.read_token", "API token that allows reading only", secret=True, roles=_API_ROLES
    )
    api_require_token: str = _setting(
        "always", "api.require_token", "always; remote: programs of this machine need no token on loopback"
    )
    api_hosts: tuple[str, ...] = _setting(
        (), "api.hosts", "further host names that requests to the API may use, besides this machine's own"
    )
    api_littleflow: str = _setting(
        "false", "api.littleflow", "true: the API has the routes of littleflow_redis, too, below /littleflow"
    )
    archive_folder: str = _setting("", "archive.folder", "folder to which the API writes archives")
    archive_buckets: tuple[str, ...] = _setting(
        (),
        "archive.buckets",
        "buckets of S3 to which API and lifecycles write archives, and from which the API restores: "
        "BUCKET or BUCKET/FOLDER",
    )
    s3_endpoint: str = _setting(
        "",
        "s3.endpoint",
        "URL of the S3 server, if it is not Amazon's; AWS_ENDPOINT_URL counts, too",
        variable="AWS_ENDPOINT_URL_S3",
        second_variable="AWS_ENDPOINT_URL",
    )
    s3_region: str = _setting(
        "us-east-1",
        "s3.region",
        "region of the buckets; AWS_DEFAULT_REGION counts, too",
        variable="AWS_REGION",
        second_variable="AWS_DEFAULT_REGION",
    )
    s3_access_key: str = _setting(
        "",
        "s3.access_key",
        "id of the key for S3",
        variable="AWS_ACCESS_KEY_ID",
        secret=True,
        roles=_ARCHIVE_ROLES,
    )
    s3_secret_key: str = _setting(
        "", "s3.secret_key", "that key", variable="AWS_SECRET_ACCESS_KEY", secret=True, roles=_ARCHIVE_ROLES
    )
    s3_session_token: str = _setting(
        "",
        "s3.session_token",
        "the token that belongs to a key for a limited time",
        variable="AWS_SESSION_TOKEN",
        secret=True,
        roles=_ARCHIVE_ROLES,
    )
    s3_timeout_seconds: float = _setting(
        60.0, "s3.timeout", "total time that writing or reading an object may take"
    )
    api_body: int = _setting(10_000_000, "api.body", "maximum size in bytes of a request to the API")
    notify_rules: Mapping[str, str] = _setting(
        {}, "notify.rules", "what gives a notice, and to whom, by the name of the rule (docs/notices.md)"
    )
    notify_webhooks: Mapping[str, str] = _setting(
        {},
        "notify.webhooks",
        "URLs to which notices are posted, by the names that rules use",
        secret=True,
        roles=_NOTIFY_ROLES,
    )
    notify_signing_keys: Mapping[str, str] = _setting(
        {},
        "notify.signing_keys",
        "keys that sign what is posted, by the name of the webhook: whsec_ and base64",
        secret=True,
        roles=_NOTIFY_ROLES,
    )
    notify_allow: tuple[str, ...] = _setting(
        (),
        "notify.allow",
        "addresses and networks to which the host names of webhooks may lead, if not public",
    )
    notify_commands: Mapping[str, str] = _setting(
        {}, "notify.commands", "command lines that notices may run, by the names that rules use"
    )
    notify_mail_server: str = _setting("", "notify.mail_server", "HOST or HOST:PORT that takes mail by SMTP")
    notify_mail_tls: str = _setting(
        "starttls", "notify.mail_tls", "starttls (port 587), tls (port 465), or none (port 25)"
    )
    notify_mail_from: str = _setting("", "notify.mail_from", "the address from which notices come")
    notify_mail_username: str = _setting(
        "", "notify.mail_username", "user name for the mail server, if it requires one"
    )
    notify_mail_password: str = _setting(
        "", "notify.mail_password", "password for the mail server", secret=True, roles=_NOTIFY_ROLES
    )
    notify_give_up_seconds: float = _setting(
        86_400.0, "notify.give_up", "time after which a notice that cannot be delivered is dropped"
    )
    notify_alive_url: str = _setting(
        "",
        "notify.alive_url",
        "URL that the role notify gets while all is well: a dead man's switch",
        secret=True,
        roles=_NOTIFY_ROLES,
    )
    notify_alive_every_seconds: float = _setting(60.0, "notify.alive_every", "how often it gets that URL")
    traces_endpoint: str = _setting(
        "",
        "traces.endpoint",
        "URL to which the role traces posts spans (OTLP/HTTP), as http://127.0.0.1:4318; also makes tasks "
        "know their trace",
    )
    traces_headers: Mapping[str, str] = _setting(
        {},
        "traces.headers",
        "headers of these posts, by name, such as a token",
        secret=True,
        roles=_TRACES_ROLES,
    )
    traces_allow: tuple[str, ...] = _setting(
        (),
        "traces.allow",
        "addresses and networks to which the host name of that URL may lead, if not public",
    )
    traces_requests: str = _setting(
        "false", "traces.requests", "true: request: tasks send the header traceparent to where they go"
    )
    up_data: str = _setting(
        "",
        "up.data",
        "folder in which `lfr up` keeps its data; commands use the server there",
        variable="LFR_DATA",
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table: it describes a setting, but does not hold its effective value.

    attribute  the field of `Settings`
    name       the name in the configuration file, with dots between the levels: `redis.host`
    type       str, int, float; tuple for a list of texts; dict for texts by name
    variable   the environment variable
    secret     whether lfr never shows the value
    roles      of a secret: the only roles that need it; empty: all
    second_variable  the environment variable that counts if `variable` is not set, or empty
    """

    attribute: str
    name: str
    type: type
    default: Value
    variable: str
    help: str
    secret: bool
    roles: tuple[str, ...] = ()
    second_variable: str = ""

    @property
    def is_duration(self) -> bool:
        """Whether its value is a duration in seconds."""
        return self.attribute.endswith("_seconds")


def secret_variables_of_others(role: str) -> frozenset[str]:
    """Return the environment variables of secrets that a role does not need."""
    return frozenset(each.variable for each in all_settings() if each.roles and role not in each.roles)


def all_settings() -> Iterator[Setting]:
    """Yield every setting, in the order of `Settings`."""
    for entry in fields(Settings):
        yield Setting(attribute=entry.name, type=type(entry.metadata["default"]), **entry.metadata)
