"""The recipients of notices: `webhook:NAME`, `mail:ADDRESS`, `command:NAME`."""

from __future__ import annotations

from collections.abc import Iterable

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.notices.notice import Notice
from lfr.notices.rules import SETTING, Rule
from lfr.outbound.delivery_failed import DeliveryFailed
from lfr.outbound.mail import MailServer
from lfr.outbound.program import Commands
from lfr.outbound.webhook import Webhooks
from lfr.values.checks import suggestion
from lfr.values.times import format_timestamp


class Recipients:
    """Delivers notices to the recipients of the rules. Thread-safe. Raises BadSettings when it is made, also
    for a recipient that the settings do not have."""

    def __init__(self, settings: Settings, rules: Iterable[Rule]) -> None:
        self.webhooks = Webhooks(settings)
        self._commands = Commands(settings.notify_commands)
        self._mail_server: MailServer | None = None
        names = {"webhook": settings.notify_webhooks, "command": settings.notify_commands}
        for rule in rules:
            for recipient in rule.recipients:
                kind, _, name = recipient.partition(":")
                if kind == "mail":
                    self._mail_server = self._mail_server or MailServer(settings)
                elif name not in names[kind]:
                    words = f"the rule {rule.name}: notify.{kind}s has no {name}"
                    raise BadSettings(words, place=SETTING, hint=suggestion(name, names[kind]))

    def deliver(self, recipient: str, notice: Notice) -> None:
        """Deliver a notice. Takes up to half a minute. Raises DeliveryFailed."""
        kind, _, name = recipient.partition(":")
        at = format_timestamp(notice.at_ms / 1000)
        if kind == "webhook" and self.webhooks.has(name):
            self.webhooks.post(name, notice, at)
        elif kind == "command" and self._commands.has(name):
            self._commands.run(name, notice, at)
        elif kind == "mail" and self._mail_server is not None:
            self._mail_server.send(name, notice, notice.at_ms)
        else:
            raise DeliveryFailed("the configuration of this role does not have it any more")
