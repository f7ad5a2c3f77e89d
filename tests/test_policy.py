"""The operator's policy: what it refuses, how its file is checked, and that its time is linear."""

import time
from pathlib import Path

import pytest

from worker import policy
from worker.policy import BadPolicy, Policy
from worker.policy_file import PolicyFile

RULES = """
[[rules]]
reason = "Names of artists are not allowed."
words = ["Taylor Swift", "straße", "c++"]
patterns = ['in the style of \\pL+']

[[rules]]
patterns = ['^noise$']
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(RULES, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    ["like taylor swift", "TAYLOR   SWIFT!", "ＴＡＹＬＯＲ ｓｗｉｆｔ", "tay\u200blor swi\u00adft", "taylor\nswift",
     "STRASSE am Abend", "die Straße", "(c++)", "something In The Style Of Bach", "IN THE STYLE OF Ärzte"],
)  # fmt: skip
def test_words_and_patterns_are_found(file: Path, text: str) -> None:
    assert policy.read(file).refusal("", text) == "Names of artists are not allowed."


@pytest.mark.parametrize("text", ["taylor swiftly", "tailor swift", "straßenbahn", "in the style of 3", "noise music"])
def test_other_texts_are_allowed(file: Path, text: str) -> None:
    assert policy.read(file).refusal(text) is None


def test_a_rule_without_a_reason_has_the_usual_one(file: Path) -> None:
    assert policy.read(file).refusal("Noise") == policy.DEFAULT_REASON


def test_without_a_file_everything_is_allowed() -> None:
    assert PolicyFile(None).current().refusal("taylor swift") is None
    assert Policy().refusal("taylor swift") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[rules]]\nwords = 3", "rule 1: words must be a list of texts"),
        ("[[rules]]\nwords = ['']", "rule 1: words must be a list of texts"),
        ("[[rules]]\nwords = ['\u200b']", "rule 1: words must be a list of texts"),
        ("[[rules]]\nreason = 'x'", "rule 1: it has neither words nor patterns"),
        ("[[rules]]\nwords = ['a']\n[[rules]]\npatterns = ['(a']", "rule 2: '(a' is no expression of RE2: missing ):"),
        ("[[rules]]\npatterns = ['a)|(b']", "rule 1: 'a)|(b' is no expression"),
        ("[[rules]]\npatterns = ['(a)\\1']", "is no expression of RE2"),
        ("[[rules]]\npatterns = ['a*']", "matches an empty text"),
        ("[[rules]]\npattern = ['a']", "it may have reason, words and patterns"),
        ("[[rules]]\nwords = ['a']\nreason = \"a\\u001bb\"", "reason must be a text"),
        ("rules = 1", "each rule is a table"),
        ("rule = []", "each rule is a table"),
        ("[[rules", "is no TOML"),
    ],
)
def test_a_file_with_a_mistake_is_refused(file: Path, text: str, problem: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadPolicy) as refused:
        policy.read(file)
    assert problem in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadPolicy, match="cannot be read: No such file"):
        PolicyFile(tmp_path / "none.toml")


def test_a_changed_file_is_read_again_and_a_broken_one_is_not(file: Path) -> None:
    followed = PolicyFile(file)
    assert followed.current().refusal("drake") is None
    file.write_text("[[rules]]\nwords = ['drake']\nreason = 'No.'", encoding="utf-8")
    assert followed.current().refusal("drake") == "No."
    file.write_text("[[rules", encoding="utf-8")
    assert followed.current().refusal("drake") == "No."
    file.unlink()
    assert followed.current().refusal("drake") == "No."


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+c", "(.*)(.*)(.*)d"])
def test_time_is_linear_for_any_pattern(file: Path, pattern: str) -> None:
    """Each of these takes a backtracking matcher for ever."""
    file.write_text(f"[[rules]]\npatterns = ['{pattern}']", encoding="utf-8")
    rules = policy.read(file)

    def seconds(length: int) -> float:
        text, least = "a" * length, float("inf")
        for _ in range(5):
            started = time.thread_time()
            assert rules.refusal(text) is None
            least = min(least, time.thread_time() - started)
        return max(least, 20e-6)

    assert seconds(80_000) < 10 * seconds(20_000)
