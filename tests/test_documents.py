"""What the documents name exists: files, anchors, verbs, options, environment variables, modules, endpoints."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest

from replay_proxy.cli.main import VERBS
from replay_proxy.config import SETTINGS
from replay_proxy.settings.setting import SettingGroup

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
IDS = [str(document.relative_to(ROOT)) for document in DOCUMENTS]

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:[\w.*{}-]+/)*[\w.*{}-]+\.(?:py|md|json|toml|txt|c|yml|yaml|html)")
FOLDER = re.compile(r"(?:\.?[\w-]+/)+")
VARIABLE = re.compile(r"\b(?:REPLAY|SNAPSHOT)_[A-Z][A-Z_]+\b")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")

WRITTEN_BY_THE_PROGRAM = {
    "recorded_api_calls.json",
    "remotes.json",
    "replay-smoke.yaml",
    "versions/NAME/NUMBER.json",
    "tags/NAME/TAG.json",
    "init_scripts.json",
    "session.json",
    "held_receipts.jsonl",
    "held_tokens.jsonl",
    "held_records.jsonl",
    "blobs/",
    "blobs/tmp/",
    "report.html",
    "report.md",
    "index.json",
    "recordings/",
    ".cache/localstack/",
    ".cache/mitmproxy/",
}
"""What a data directory holds, and what scripts make; no file of the repository."""

AWS_COMMAND = re.compile(r"\baws (?:[^\n\\]|\\\n|\\)*")
"""A command of the AWS CLI, with the lines on which it goes on: its options are its own."""

OPTIONS_OF_OTHERS = {"--init", "--rm", "--target", "--wait", "--cidr-block", "--exclude-editable"} | {
    *("--build-arg", "--dir", "--name", "--silent", "--fail", "--repository", "--wheel-dir"),
}
"""Of Docker, of the AWS CLI, of pip, of GitHub's CLI, of curl, of twine and auditwheel, in examples."""


@lru_cache(maxsize=1)
def tree() -> tuple[str, ...]:
    """Every file of the repository, relative to its root."""
    tops = (
        "replay_proxy",
        "tests",
        "scripts",
        "docs",
        "bench",
        "recordings",
        ".github",
        "compose",
        "kubernetes",
        "ci",
        "examples",
    )
    found = [path for top in tops for path in (ROOT / top).rglob("*") if "__pycache__" not in path.parts]
    return tuple(str(path.relative_to(ROOT)) for path in [*found, *ROOT.iterdir()])


@lru_cache(maxsize=1)
def sources() -> str:
    """All code and scripts in one text."""
    files = [
        path
        for top in ("replay_proxy", "scripts", "tests", "bench")
        for path in (ROOT / top).rglob("*")
        if path.is_file()
    ]
    files += [ROOT / "pyproject.toml", ROOT / "ci" / "gitlab.yml"]
    return "\n".join(
        path.read_text(errors="replace") for path in files if path.suffix in (".py", ".c", "", ".toml", ".json", ".yml")
    )


def anchor(heading: str) -> str:
    """As Markdown renderers make it of a heading."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(document: Path) -> set[str]:
    return {
        anchor(line.lstrip("#")) for line in FENCE.sub("", document.read_text()).splitlines() if line.startswith("#")
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", document.read_text())):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _hash, part = target.partition("#")
        there = (document.parent / name) if name else document
        if not there.exists() or (part and part not in anchors(there)):
            broken.append(target)
    assert broken == []


def exists(name: str) -> bool:
    """Is there a file or folder that this names: from the root, in the package, or by the end of its path?"""
    if name.rstrip("/") in {each.rstrip("/") for each in WRITTEN_BY_THE_PROGRAM}:
        return True
    if "*" in name or "{" in name:
        return True
    ends = ("/" + name.rstrip("/"), name.rstrip("/"))
    return any(each == ends[1] or each.endswith(ends[0]) for each in tree())


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_files_and_folders_that_are_named_exist(document: Path) -> None:
    words = {word.strip() for code in CODE.findall(document.read_text()) for word in code.split()}
    named = {word for word in words if FILE.fullmatch(word) or FOLDER.fullmatch(word)}
    assert sorted(name for name in named if not exists(name)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_options_and_variables_that_are_named_exist(document: Path) -> None:
    text = AWS_COMMAND.sub("", document.read_text())
    known = {setting.flag for setting in SETTINGS} | OPTIONS_OF_OTHERS
    missing = {option for option in OPTION.findall(text) if option not in known and f'"{option}"' not in sources()}
    missing -= {option for option in missing if re.search(rf"{option}(?![\w-])", sources())}
    missing |= {
        name for name in VARIABLE.findall(text) if name not in {each.env for each in SETTINGS} and name not in sources()
    }
    assert sorted(missing) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_verbs_that_are_named_exist(document: Path) -> None:
    text = document.read_text()
    code = "\n".join(CODE.findall(text) + FENCE.findall(text))
    words = re.findall(r"\breplay-proxy ([a-z_]+)\b", code)
    assert sorted({word for word in words if word not in VERBS}) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_modules_that_are_named_exist(document: Path) -> None:
    missing = []
    for code in CODE.findall(document.read_text()):
        for dotted in re.findall(r"\breplay_proxy(?:\.\w+)+", code):
            parts = dotted.split(".")
            path = ROOT.joinpath(*parts[:2])
            if not (path.is_dir() or path.with_suffix(".py").is_file()):
                missing.append(dotted)
    assert missing == []


def test_every_verb_setting_and_exit_code_has_its_place() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    for verb in VERBS:
        assert f"`replay-proxy {verb}`" in text
    for setting in SETTINGS:
        assert f"`{setting.env}`" in text
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert codes == {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130, 143}


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_no_argument_that_the_verb_has_not(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    from replay_proxy.cli.main import main

    with pytest.raises(SystemExit):
        main([verb, "--help"])
    text = capsys.readouterr().out
    assert ("COMMAND" in text) is (verb in ("serve", "run"))
    taken = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.MULTILINE))
    of_others = {setting.flag for setting in SETTINGS} | {"--encrypt", "--json"}  # which a meaning may refer to
    assert set(OPTION.findall(text)) - taken - of_others == set()


def test_the_help_of_the_program_lists_each_verb_under_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    from replay_proxy.cli.main import main

    assert main(["--help"]) == 0
    listed, group = {}, ""
    for line in capsys.readouterr().out.splitlines():
        if re.fullmatch(r"[a-z ]+:", line):
            group = line[:-1]
        elif found := re.match(r"  (\w+) +(.+)", line):
            listed[found[1]] = (group, found[2])
    assert listed == {name: (verb.group, verb.summary) for name, verb in VERBS.items()}


@pytest.mark.parametrize("verb", VERBS)
def test_help_lists_each_setting_under_its_group(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    from replay_proxy.cli.main import main

    with pytest.raises(SystemExit):
        main([verb, *(["save"] if verb == "pod" else []), "--help"])  # the settings of `pod` are those of its actions
    group, listed = "", {}
    for line in capsys.readouterr().out.splitlines():
        if re.fullmatch(r"[a-z ]+:", line):
            group = line[:-1]
        elif found := re.match(r"  (--[\w-]+)", line):
            listed[found[1]] = group
    expected = {setting.flag: str(setting.group) for setting in SETTINGS if verb in setting.verbs}
    assert {flag: listed.get(flag) for flag in expected} == expected
    assert {flag for flag, heading in listed.items() if heading in set(SettingGroup)} == set(expected)


def test_an_unexpected_error_is_told_by_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from replay_proxy.cli.main import main
    from replay_proxy.cli.recordings import aliases

    def broken(_args: object) -> int:
        raise ZeroDivisionError("as nobody foresaw")

    monkeypatch.setattr(aliases, "run", broken)
    monkeypatch.delenv("REPLAY_LOG_LEVEL", raising=False)
    assert main(["aliases"]) == 1
    told = capsys.readouterr().err
    assert "error: something unexpected: ZeroDivisionError: as nobody foresaw (test_documents.py, line " in told
    assert "hint: " in told
    assert "Traceback" not in told
    monkeypatch.setenv("REPLAY_LOG_LEVEL", "debug")
    assert main(["aliases"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_pictures_exist_and_are_shown() -> None:
    shown = {found for document in DOCUMENTS for found in re.findall(r"docs/images/[\w.-]+", document.read_text())}
    assert shown == {f"docs/images/{path.name}" for path in (ROOT / "docs" / "images").iterdir()}
    assert all((ROOT / path).stat().st_size < 100_000 for path in shown)


def test_the_changelog_has_each_group_of_a_release_once_and_in_the_order_of_keep_a_changelog() -> None:
    order = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    for release in (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1:]:
        groups = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert groups == [name for name in order if name in groups], release.partition("\n")[0]


def test_each_package_that_says_what_its_modules_are_for_names_all_of_them() -> None:
    """In lists, tables and columns. A package of one or two modules need not."""
    missing, gone = [], []
    for init in sorted((ROOT / "replay_proxy").rglob("__init__.py")):
        text, folder = init.read_text(), init.parent
        inside = {path.stem for path in folder.glob("*.py")} | {
            path.parent.name for path in folder.glob("*/__init__.py")
        }
        inside -= {"__init__", "__main__"}
        named = set(re.findall(r"`(\w+)(?:\.py|/)?`|^    (\w+)/?  ?", text, re.MULTILINE))
        words = {word for pair in named for word in pair if word}
        if len(inside) > 3:
            missing += [f"{folder.relative_to(ROOT)}: {name}" for name in sorted(inside - words)]
        rows = re.findall(r"^\| `(\w+)` \|", text.partition("| module |")[2], re.MULTILINE)
        gone += [f"{folder.relative_to(ROOT)}: {name}" for name in rows if name not in inside]
    assert (missing, gone) == ([], [])
