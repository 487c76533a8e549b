"""The page of the API: it shows what the server's OpenAPI document says, and sends requests."""

from __future__ import annotations

import subprocess

from playwright.sync_api import Page, expect

from tests.console.installation import Installation


def test_every_operation_is_there_with_a_command_and_a_form(installation: Installation, page: Page) -> None:
    installation.lfr.run("@flow documented\na", workflow_id="documented-1")
    document = installation.ask("GET", "/openapi.json")
    page.goto(f"{installation.url}/system")
    page.get_by_role("link", name="API of this server").click()
    operations = page.locator(".operation")
    expect(operations).to_have_count(sum(len(methods) for methods in document["paths"].values()))
    for operation in operations.locator("> summary").all():
        operation.click()
    expect(page.locator(".operation-body")).to_have_count(operations.count())
    page.get_by_label("Find").fill("/workflows/{id}/state")
    expect(operations).to_have_count(1)
    page.get_by_label("id").fill("workflow:documented-1")
    command = page.locator(".command pre").inner_text()
    assert command == (
        f"curl '{installation.url}/api/workflows/workflow%3Adocumented-1/state' "
        '-H "Authorization: Bearer $(lfr token)"'
    )
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("Response")).to_contain_text('"state": "RUNNING"')
    expect(page.get_by_text("200 after")).to_be_visible()
    page.reload()
    expect(operations).to_have_count(1)


def test_the_command_starts_a_workflow(installation: Installation, page: Page) -> None:
    page.goto(f"{installation.url}/docs?find=Start+a+workflow+of+a+flow+text")
    page.locator(".operation > summary").click()
    command = page.locator(".command pre").inner_text().replace("$(lfr token)", "x")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith('{"workflow":"workflow:build-')
