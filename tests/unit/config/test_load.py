"""Layers of settings: which wins, the origin of each value, errors in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lfr.config.check import check_setting
from lfr.config.file import read_settings_file
from lfr.config.load import LoadedSettings, SourcedValue, load_settings, load_with_origins
from lfr.config.settings import Setting, Settings, all_settings
from lfr.errors import BadSettings


class Layers:
    """The layers, set one by one, without the settings of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}

    def write_file(self, text: str) -> str:
        path = self.folder / "lfr.yaml"
        path.write_text(text)
        return str(path)

    def write_credential(self, name: str, text: str) -> None:
        credentials = self.folder / "credentials"
        credentials.mkdir(exist_ok=True)
        (credentials / name).write_text(text)
        self.environment["CREDENTIALS_DIRECTORY"] = str(credentials)

    def load(self, config: str = "", overrides: Mapping[str, Any] | None = None) -> LoadedSettings:
        layer = {name: SourcedValue(value, f"--{name}") for name, value in (overrides or {}).items()}
        absent = str(self.folder / "absent.yaml")
        return load_with_origins(layer, config=config, environment=self.environment, default_file=absent)


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    return Layers(tmp_path)


def test_defaults_are_those_of_the_table(layers: Layers) -> None:
    loaded = layers.load()
    assert (loaded.settings.redis_host, loaded.settings.redis_port) == ("0.0.0.0", 6379)
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.file == ""


def test_each_layer_beats_the_one_before_and_says_so(layers: Layers) -> None:
    def stream() -> tuple[str, str]:
        loaded = layers.load(config, overrides)
        return loaded.settings.stream, loaded.origins["stream"]

    config, overrides = "", {}
    assert stream() == ("workflows:run", "default")
    config = layers.write_file("# ours\n\nstream: from-file\n")
    assert stream() == ("from-file", f"{config}:3")
    layers.environment["LFR_STREAM"] = "from-environment"
    assert stream() == ("from-environment", "$LFR_STREAM")
    layers.write_credential("stream", "from-credential\n")
    assert stream() == ("from-credential", "credential stream")
    overrides = {"stream": "from-argv"}
    assert stream() == ("from-argv", "--stream")


def test_a_second_variable_counts_if_the_first_is_not_set(layers: Layers) -> None:
    layers.environment |= {
        "AWS_ENDPOINT_URL_S3": "",
        "AWS_ENDPOINT_URL": "http://a",
        "AWS_DEFAULT_REGION": "b",
    }
    loaded = layers.load()
    assert (loaded.settings.s3_endpoint, loaded.settings.s3_region) == ("http://a", "b")
    assert loaded.origins["s3_endpoint"] == "$AWS_ENDPOINT_URL"
    layers.environment["AWS_ENDPOINT_URL_S3"] = "http://s3"
    assert layers.load().settings.s3_endpoint == "http://s3"


def test_the_file_is_the_named_one_else_that_of_the_variable_else_the_default(tmp_path: Path) -> None:
    named, variable, default = (tmp_path / name for name in ("named", "variable", "default"))
    for path in (named, variable, default):
        path.write_text(f"stream: {path.name}")

    def stream(config: str, environment: dict[str, str]) -> str:
        loaded = load_with_origins({}, config=config, environment=environment, default_file=str(default))
        assert loaded.file == str(tmp_path / loaded.settings.stream)
        return loaded.settings.stream

    assert stream(str(named), {"LFR_CONFIG": str(variable)}) == "named"
    assert stream("", {"LFR_CONFIG": str(variable)}) == "variable"
    assert stream("", {}) == "default"


@pytest.mark.parametrize(
    ("file", "environment", "overrides", "expected"),
    [
        # (url, host, port) as they are used; a URL that is not used is empty
        ("redis: {url: 'redis://f'}", {}, {}, ("redis://f", None, None)),
        ("redis: {url: 'redis://f', host: fh}", {}, {}, ("redis://f", None, None)),
        ("redis: {url: 'redis://f'}", {"REDIS_HOST": "e"}, {}, ("", "e", 6379)),
        ("redis: {url: 'redis://f', port: 7}", {"REDIS_HOST": "e"}, {}, ("", "e", 7)),
        ("redis: {url: 'redis://f'}", {"REDIS_PORT": "8"}, {}, ("", "0.0.0.0", 8)),
        ("redis: {host: fh}", {"LFR_REDIS_URL": "redis://e"}, {}, ("redis://e", None, None)),
        ("", {"LFR_REDIS_URL": "redis://e", "REDIS_HOST": "e"}, {}, ("redis://e", None, None)),
        ("", {"LFR_REDIS_URL": "redis://e"}, {"redis_host": "c"}, ("", "c", 6379)),
        ("", {"LFR_REDIS_URL": "redis://e"}, {"redis_port": "9"}, ("", "0.0.0.0", 9)),
        ("", {"REDIS_HOST": "e"}, {"redis_url": "unix:///c"}, ("unix:///c", None, None)),
        ("", {}, {"redis_url": "redis://c", "redis_host": "h"}, ("redis://c", None, None)),
        ("redis: {host: fh}", {"LFR_REDIS_URL": "redis://e"}, {"redis_port": "9"}, ("", "fh", 9)),
        ("", {"LFR_REDIS_URL": "", "REDIS_HOST": ""}, {}, ("", "0.0.0.0", 6379)),
    ],
)
def test_the_strongest_layer_that_says_where_redis_is_decides(
    layers: Layers,
    file: str,
    environment: dict[str, str],
    overrides: dict[str, str],
    expected: tuple[str, str | None, int | None],
) -> None:
    layers.environment.update(environment)
    settings = layers.load(layers.write_file(file), overrides).settings
    url, host, port = expected
    assert settings.redis_url == url
    if not url:
        assert (settings.redis_host, settings.redis_port) == (host, port)


@pytest.mark.parametrize(
    ("url", "bare", "user", "password"),
    [
        ("redis://ann:p%40ss@h:1/2", "redis://h:1/2", "ann", "p@ss"),
        ("rediss://:pw@h?ssl_cert_reqs=none", "rediss://h?ssl_cert_reqs=none", "", "pw"),
        ("redis://h:1?password=pw&db=3", "redis://h:1?db=3", "", "pw"),
        ("unix://ann:pw@/run/redis.sock?db=1", "unix:///run/redis.sock?db=1", "ann", "pw"),
        ("unix:///run/redis.sock?password=pw", "unix:///run/redis.sock", "", "pw"),
        ("redis://h:1/2", "redis://h:1/2", "kept", "kept too"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock", "kept", "kept too"),
    ],
)
def test_user_and_password_are_taken_out_of_a_url(
    layers: Layers, url: str, bare: str, user: str, password: str
) -> None:
    layers.environment.update(REDIS_USERNAME="kept", REDIS_PASSWORD="kept too")
    settings = layers.load(overrides={"redis_url": url}).settings
    assert (settings.redis_url, settings.redis_username, settings.redis_password) == (bare, user, password)


def test_the_password_of_sentinels_is_removed_from_a_url(layers: Layers) -> None:
    layers.environment["LFR_REDIS_SENTINEL_PASSWORD"] = "weaker"
    url = "redis+sentinel://:pw@h,g/m/1?sentinel_username=sam&sentinel_password=s"
    settings = layers.load(overrides={"redis_url": url}).settings
    assert (settings.redis_url, settings.redis_password) == ("redis+sentinel://h,g/m/1", "pw")
    assert (settings.redis_sentinel_username, settings.redis_sentinel_password) == ("sam", "s")
    settings = layers.load(overrides={"redis_url": "redis+sentinel://h/m"}).settings
    assert settings.redis_sentinel_password == "weaker"


def test_a_stronger_layers_password_beats_that_of_a_url(layers: Layers) -> None:
    layers.environment["LFR_REDIS_URL"] = "redis://ann:old@h"
    settings = layers.load(overrides={"redis_password": "new"}).settings
    assert (settings.redis_url, settings.redis_username, settings.redis_password) == (
        "redis://h",
        "ann",
        "new",
    )


def test_text_settings_take_yaml_scalars_as_they_are_written(layers: Layers) -> None:
    config = layers.write_file("redis:\n  password: 007\n  username: yes\nstream:\nlog:\n")
    settings = layers.load(config).settings
    assert (settings.redis_password, settings.redis_username) == ("007", "yes")
    assert settings.stream == "workflows:run"


def test_dotted_names_are_understood_too(layers: Layers) -> None:
    assert layers.load(layers.write_file("tasks.lease: 12.5\nlease: 3")).settings.tasks_lease_seconds == 12.5


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("redis:\n  hots: x\n", 2, "there is no setting redis.hots"),
        ("stream: s\nstraem: s\n", 2, "there is no setting straem"),
        ("\nredis:\n  port: many\n", 3, "redis.port must be a whole number, not 'many'"),
        ("redis: {port: 1.5}", 1, "redis.port must be a whole number"),
        ("redis: {port: 70000}", 1, "redis.port must be a port"),
        ("redis: {port: true}", 1, "redis.port must be a whole number"),
        ("lease: .inf", 1, "lease must be a number of seconds, or a text such as 90s, 5m, 1h30m or 2d, not"),
        ("lease: 5 minutes", 1, "lease must be a number of seconds, or a text such as"),
        ("\nlease: 0", 2, "; from 100ms to 7d, not"),
        ("batch: -1", 1, "batch must be a whole number from 1 to"),
        ("log: {level: loud}", 1, "log.level must be one of DEBUG, INFO, WARNING, ERROR, not 'loud'"),
        ("stream: [a]", 1, "stream must have a single value"),
        ("resources:\n  allow:\n  - /a\n  - b: c\n", 4, "each of resources.allow must have a single value"),
        ("resources:\n  allow:\n  - /a\n  -\n", 4, "each of resources.allow must have a single value"),
        ("resources:\n  allow: {a: b}", 2, "resources.allow must have a single value"),
        ("api: {hosts: ['*']}", 1, "api.hosts must be host names without scheme, port or *"),
        ("api: {hosts: ['https://lfr.example']}", 1, "api.hosts must be host names without scheme"),
        ("api: {hosts: ['lfr.example:5001']}", 1, "api.hosts must be host names without scheme, port"),
        ("api: {hosts: [a, 'b/c']}", 1, "api.hosts must be host names"),
        ("redis: 6379", 1, "redis must be a mapping of settings"),
        ("- a\n", 1, "the file must be a mapping of settings"),
        ("stream: a\nstream: b", 2, "stream occurs twice"),
        ("a: b: c", 1, "not YAML"),
        ("redis: &r\n  x: *r\n", 2, "there is no setting redis.x"),
        ("? [a]\n: b\n", 1, "there is no setting ?"),
        ("x: !!python/object/apply:os.system [id]", 1, "there is no setting x"),
    ],
)
def test_an_error_in_a_file_has_its_line(layers: Layers, text: str, line: int, message: str) -> None:
    config = layers.write_file(text)
    with pytest.raises(BadSettings) as caught:
        layers.load(config)
    assert caught.value.place == f"{config}:{line}"
    assert message in caught.value.message


def test_a_file_that_is_named_must_be_there(layers: Layers) -> None:
    with pytest.raises(BadSettings, match="No such file"):
        layers.load(str(layers.folder / "missing.yaml"))
    layers.environment["LFR_CONFIG"] = "/nowhere/lfr.yaml"
    with pytest.raises(BadSettings, match=r"/nowhere/lfr\.yaml"):
        layers.load()


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("REDIS_PORT", "six"),
        ("LFR_LEASE", "nan"),
        ("LFR_BATCH", "0"),
        *(
            ("LFR_REDIS_PREFIX", prefix)
            for prefix in ("a", ":", "a*:", "a b:", "é:", "flow:", "a:waits:", "a::")
        ),
    ],
)
def test_a_bad_variable_is_named(layers: Layers, variable: str, text: str) -> None:
    layers.environment[variable] = text
    with pytest.raises(BadSettings) as caught:
        layers.load()
    assert caught.value.place == f"${variable}"


def test_a_bad_secret_is_not_shown(layers: Layers) -> None:
    with pytest.raises(BadSettings) as caught:
        layers.load(overrides={"redis_password": 12345})
    assert "12345" not in str(caught.value)


def test_credentials_of_a_folder_carry_its_name(layers: Layers) -> None:
    layers.write_credential("lfr_redis.password", "secret\n")
    loaded = layers.load()
    assert loaded.settings.redis_password == "secret"
    assert loaded.origins["redis_password"] == "credential redis.password"


def test_a_credential_that_is_no_text_is_named(layers: Layers) -> None:
    layers.write_credential("redis.password", "")
    Path(layers.environment["CREDENTIALS_DIRECTORY"], "redis.password").write_bytes(b"\xff")
    with pytest.raises(BadSettings, match=r"credential redis\.password"):
        layers.load()


def test_a_program_gives_settings_by_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_HOST", "from-environment")
    assert load_settings({"redis_port": 7, "redis_host": None}).redis_port == 7
    assert load_settings({}).redis_host == "from-environment"
    with pytest.raises(BadSettings, match="there is no setting redis_hots"):
        load_settings({"redis_hots": "x"})


def test_a_list_is_a_list_or_one_text_in_the_file(layers: Layers) -> None:
    def allowed(text: str) -> tuple[str, ...]:
        return layers.load(layers.write_file(text)).settings.resources_allow

    assert allowed("resources: {allow: ['/a b', 'http://h/,x', 007]}") == ("/a b", "http://h/,x", "007")
    assert allowed("resources.allow: /a, b") == ("/a, b",)
    assert allowed("resources: {allow: []}") == ()
    assert allowed("resources: {allow: }") == ()


def test_a_list_is_separated_by_commas_or_white_space_where_there_is_only_text(layers: Layers) -> None:
    layers.environment["LFR_RESOURCES_ALLOW"] = " /a, /b\t/c,\n/d "
    loaded = layers.load()
    assert loaded.settings.resources_allow == ("/a", "/b", "/c", "/d")
    assert loaded.origins["resources_allow"] == "$LFR_RESOURCES_ALLOW"
    layers.write_credential("resources.allow", "/e\n/f\n")
    assert layers.load().settings.resources_allow == ("/e", "/f")
    assert layers.load(overrides={"resources_allow": ["/g h"]}).settings.resources_allow == ("/g h",)
    with pytest.raises(BadSettings, match=r"resources\.allow must be a list of texts, not 7"):
        layers.load(overrides={"resources_allow": 7})


URLS = Setting("urls", "request.urls", dict, {}, "LFR_URLS", "texts by name", secret=False)


def read_urls(file: str) -> list[tuple[str, object]]:
    return [(name, value) for name, value, _ in read_settings_file(file, {URLS.name: URLS.type})]


def test_texts_by_name_are_mappings_in_the_file(layers: Layers) -> None:
    file = layers.write_file(
        "request:\n  urls:\n    a: http://a\n    b: {c: 'http://c, d', e: }\n    f.g: 1\n"
    )
    assert read_urls(file) == [("request.urls", {"a": "http://a", "f.g": "1", "b.c": "http://c, d"})]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("request:\n  urls: http://a", 2, "request.urls must be a mapping of names to texts"),
        ("request:\n  urls:\n    a: [b, [c]]", 3, "each of request.urls.a must have a single value"),
        ("request:\n  urls:\n    a: b\n    a: c", 4, "a occurs twice"),
        ("request:\n  urls:\n    a.b: c\n    a:\n      b: d", 5, "request.urls.a.b occurs twice"),
        ("request:\n  urls: &u\n    a: *u", 2, "request.urls must be a mapping of names to texts"),
    ],
)
def test_an_error_in_texts_by_name_has_its_line(layers: Layers, text: str, line: int, message: str) -> None:
    file = layers.write_file(text)
    with pytest.raises(BadSettings) as caught:
        read_urls(file)
    assert caught.value.place == f"{file}:{line}"
    assert message in caught.value.message


def test_texts_by_name_are_pairs_where_there_is_only_text() -> None:
    expected = {"a": "http://a?b=c", "d.e": ""}
    assert check_setting(URLS, "a=http://a?b=c, d.e=", "$LFR_URLS") == expected
    assert check_setting(URLS, expected, "argument urls") == expected
    for wrong in ("a", "=b", "a=b a=c", ["a=b"], {"a": 1}):
        with pytest.raises(BadSettings, match=r"request\.urls must be NAME=TEXT"):
            check_setting(URLS, wrong, "$LFR_URLS")


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7.0), ("0.5", 0.5), ("250ms", 0.25), ("10m", 600.0), ("1h30m", 5400.0)]
)
def test_durations_have_units(layers: Layers, text: str, seconds: float) -> None:
    assert layers.load(layers.write_file(f"lease: {text}\n")).settings.lease_seconds == seconds
    layers.environment["LFR_TASKS_LEASE"] = text
    assert layers.load().settings.tasks_lease_seconds == seconds


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("LFR_REDIS_TIMEOUT", "1e300"),
        ("LFR_LEASE", "1e300"),
        ("LFR_LEASE", "1e-9"),
        ("LFR_TASKS_LEASE", "1e9"),
        ("LFR_RECEIPTS_FORGET", "1e300"),
        ("LFR_EVENTS_RETAIN", "1e300"),
        ("LFR_BATCH", "1000000000"),
        ("LFR_ITERATE_LIMIT", "9" * 30),
        ("LFR_API_BODY", "9" * 30),
        ("LFR_API_TOKEN", "a\nb"),
        ("LFR_API_TOKEN", "ü"),
        ("REDIS_HOST", "a..b"),
        ("REDIS_PASSWORD", "\udcff"),
        ("LFR_STREAM", "\udcff"),
        ("LFR_RESOURCES_ALLOW", "/a,\udcff"),
        ("LFR_REQUEST_URLS", "a=\udcff"),
        ("LFR_ARCHIVE_BUCKETS", "s3://a"),
        ("LFR_ARCHIVE_BUCKETS", "aa,/x"),
    ],
)
def test_a_value_that_nothing_can_use_is_refused(layers: Layers, variable: str, text: str) -> None:
    layers.environment[variable] = text
    with pytest.raises(BadSettings) as caught:
        layers.load()
    assert caught.value.place == f"${variable}"


def test_every_number_has_bounds_that_the_rest_of_lfr_can_use() -> None:
    for setting in all_settings():
        if setting.type in (int, float):
            is_off_at_zero = setting.name in ("redis.replicas", "logs.attempt")
            is_off_at_zero |= setting.name.startswith("retention.")
            for raw in ("1e300", "9" * 30, "9" * 400, "9" * 5000, "-1", *([] if is_off_at_zero else ["0"])):
                with pytest.raises(BadSettings):
                    check_setting(setting, raw, "place")


def test_a_password_in_a_url_of_another_setting_is_in_no_message(layers: Layers) -> None:
    layers.environment["LFR_REQUEST_URLS"] = "http://ann:Sekret@h"
    with pytest.raises(BadSettings) as caught:
        layers.load()
    assert "Sekret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfpw\r\n", b"pw\r\n", b"pw\n", b"pw"])
def test_a_credential_may_come_from_another_system(layers: Layers, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "redis.password").write_bytes(content)
    layers.environment["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert layers.load().settings.redis_password == "pw"


def test_a_variable_that_is_almost_a_setting_is_named(layers: Layers) -> None:
    layers.environment |= {
        "LFR_RETENTION_FINISHD": "1d",
        "LFR_STEP": "5",
        "LFR_VALKEY_SERVER": "/bin/valkey",
        "LFR_OF_ANOTHER_PROGRAM": "x",
        "REDIS_HOTS": "x",
    }
    assert layers.load().ignored == (
        "$LFR_RETENTION_FINISHD is ignored: it is no setting; did you mean LFR_RETENTION_FINISHED?",
    )


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("LOG_LEVEL", "critical", "$LOG_LEVEL is ignored: 'critical' is none of DEBUG, INFO, WARNING, ERROR"),
        ("ISSUER", "/nowhere/key.json", "$ISSUER is ignored: there is no such file"),
        ("ISSUER", "a\0b", "$ISSUER is ignored: there is no such file"),
    ],
)
def test_values_with_which_littleflow_redis_runs_are_ignored_with_a_sentence(
    layers: Layers, variable: str, text: str, sentence: str
) -> None:
    layers.environment[variable] = text
    loaded = layers.load()
    (ignored,) = loaded.ignored
    assert ignored.startswith(sentence)
    assert loaded.settings == Settings()


def test_the_same_values_elsewhere_are_errors_or_stay(layers: Layers, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"log\.level must be one of"):
        layers.load(layers.write_file("log: {level: critical}"))
    layers.environment["ISSUER"] = str(tmp_path)
    layers.environment["LOG_LEVEL"] = "warning"
    loaded = layers.load()
    assert loaded.ignored == ()
    assert (loaded.settings.request_issuer, loaded.settings.log_level) == (str(tmp_path), "WARNING")


def test_the_names_of_hosts_are_in_lower_case(layers: Layers) -> None:
    layers.environment["LFR_API_HOSTS"] = "LFR.Example, other"
    assert layers.load().settings.api_hosts == ("lfr.example", "other")
