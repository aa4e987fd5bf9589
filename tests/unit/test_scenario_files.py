"""Scenario files that are none: the message names the file, the line and the wrong key; the runner tells apart."""

import pytest

from aftersales import scenarios
from aftersales.application import in_memory
from aftersales.scenarios import BadScenarioFile

GOOD = """\
- id: X-1
  title: 到点自动同意
  ticket: {workflow: exchange, policy: kuaishou, at: 2022-10-01 10:00:00}
  expect: {state: pending_merchant_review}
  steps:
    - {at: 2022-10-03 10:00:01, expect: {state: awaiting_buyer_return}}
"""


def told(tmp_path, text):
    file = tmp_path / "story.yaml"
    file.write_text(text, encoding="utf-8")
    return [str(outcome) for outcome in scenarios.run([file], in_memory)]


def refused(tmp_path, text):
    with pytest.raises(BadScenarioFile) as problem:
        told(tmp_path, text)
    return str(problem.value).replace(str(tmp_path), "")


def test_a_story_that_holds(tmp_path):
    assert told(tmp_path, GOOD) == ["PASS X-1 到点自动同意"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("steps:", "stpes:"), "/story.yaml:5: 不认识「stpes」，是不是 steps？"),
        (("at: 2022-10-03 10:00:01", "att: 2022-10-03 10:00:01"), "/story.yaml:6: 不认识「att」，是不是 at？"),
        (("expect: {state: a", "expect: {sate: a"), "/story.yaml:6: 不认识「sate」，是不是 state？"),
        (("  title: 到点自动同意\n", ""), "/story.yaml:1: 缺「title」"),
        (("policy: kuaishou, ", ""), "/story.yaml:3: 缺「policy」"),
        (("title: 到点自动同意\n", "title: a\n  title: b\n"), "/story.yaml:3: 不是合格的 YAML：「title」写了两次"),
        (("10:00:01", "10:61:01"), "/story.yaml:6: 不是合格的 YAML：没有「2022-10-03 10:61:01」这个时间"),
    ],
)
def test_a_file_that_is_no_scenario_is_named_with_line_and_key(tmp_path, change, sentence):
    assert refused(tmp_path, GOOD.replace(*change)) == sentence


def test_a_file_that_is_no_list(tmp_path):
    assert refused(tmp_path, "id: X-1\n") == "/story.yaml:1: 剧本文件应是一个列表，每条以「- id:」开头"


@pytest.mark.parametrize(
    ("expect", "sentence"),
    [
        ("{state: cancelled}", "step 1: state: expected cancelled, got awaiting_buyer_return"),
        ("{due_at: 2022-10-13 10:00:01}", "step 1: due_at: expected 2022-10-13 10:00:01, got 2022-10-13 10:00:00"),
        ("{due_at: none}", "step 1: due_at: expected none, got 2022-10-13 10:00:00"),
        ("{rule: KS-EX-01}", "step 1: rule: expected KS-EX-01, got KS-EX-02"),
        ("{last: {actor: agent}}", "step 1: last.actor: expected agent, got system"),
        ("{flags: [policy_missing]}", "step 1: flags: expected policy_missing among them, got none"),
        ("{fields: {reason: size}}", "step 1: fields.reason: expected size, got other"),
        ("{allowed: [approve]}", "step 1: allowed: expected approve, got convert_to_refund、submit_return_waybill"),
        ("{not_allowed: [submit_return_waybill]}", "step 1: not_allowed: expected not submit_return_waybill, got it"),
    ],
)
def test_a_story_that_does_not_hold_says_what_was_expected_and_what_was_found(tmp_path, expect, sentence):
    text = GOOD.replace("{state: awaiting_buyer_return}", expect)
    assert told(tmp_path, text) == [f"FAIL X-1 到点自动同意: {sentence}"]


def test_a_refusal_that_nobody_expected_fails_the_step(tmp_path):
    text = GOOD + "    - {at: 2022-10-03 10:00:02, do: approve, by: agent}\n"
    [line] = told(tmp_path, text)
    assert line.startswith("FAIL X-1 到点自动同意: step 2: approve: expected to be taken, got illegal_transition（")


def test_a_refusal_that_does_not_come_fails_the_step(tmp_path):
    step = "    - {at: 2022-10-03 10:00:02, do: cancel, by: buyer, expect: {refused: not_entitled}}\n"
    assert told(tmp_path, GOOD + step) == ["FAIL X-1 到点自动同意: step 2: refused: expected not_entitled, got none"]
