# SPDX-License-Identifier: Apache-2.0
"""A tiny model that is made here plays: with random weights, and with weights that say one call."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from agent_learning.baselines import make_baseline
from agent_learning.baselines.language_model.agent import LanguageModelAgent
from agent_learning.baselines.language_model.chat import ContextLengthError
from agent_learning.baselines.language_model.local import LocalChat
from agent_learning.baselines.language_model.settings import ModelSettings
from agent_learning.errors import BenchUserError
from env.backends.making import make_backend
from env.interfaces.functions import function_tools
from env.playing import play
from env.tasks import load_task
from env.view import Scope

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SCOPE = ("get_slice_status", "graceful_degradation")
TASK = load_task("end_degradation").model_copy(update={"tools": SCOPE})
TEMPLATE = (
    "{% for tool in tools %}{{ tool.function.name }}\n{% endfor %}"
    "{% for message in messages %}{{ message.role }}: {{ message.content }}"
    "{% for call in message.tool_calls or [] %}{{ call.function.arguments.slice }}{% endfor %}"
    "<end>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
CALL = json.dumps({"name": "graceful_degradation", "arguments": {"slice": "embb", "level": "none"}})
SAYS = ["<assistant>", "<tool_call>", CALL, "</tool_call>", "<end>"]
POSITIONS = 16_384


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    byte_level = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    byte_level.decoder = decoders.ByteLevel()
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=byte_level, eos_token="<end>")
    made.add_special_tokens({"additional_special_tokens": SAYS[:-1]})
    made.chat_template = TEMPLATE
    return made


def _model(folder: Path, *, says: list[str] | None = None, positions: int = POSITIONS) -> str:
    """Save a model; with `says`, each of those tokens is followed by the next."""
    tokenizer = _tokenizer()
    n = len(tokenizer)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=n,
        hidden_size=-(-n // 8) * 8,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=positions,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = transformers.LlamaForCausalLM(config)
    if says:
        with torch.no_grad():
            layer = model.model.layers[0]
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
            model.model.embed_tokens.weight.copy_(torch.eye(n, config.hidden_size))
            model.lm_head.weight.zero_()
            for now, then in itertools.pairwise(says):
                a, b = tokenizer.convert_tokens_to_ids([now, then])
                model.lm_head.weight[b, a] = 1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def _settings(folder: str, **settings: Any) -> ModelSettings:
    return ModelSettings(model=folder, **({"max_tokens": 24} | settings))


@pytest.fixture(scope="module")
def babbling(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _model(tmp_path_factory.mktemp("babbling"))


def test_a_model_that_writes_a_call_solves_the_task(tmp_path: Path) -> None:
    folder = _model(tmp_path / "model", says=SAYS)
    agent = make_baseline(f"hf:{folder}", TASK)
    assert isinstance(agent, LanguageModelAgent)
    played = play(lambda: make_backend("surrogate", TASK.network, 51), agent, task=TASK)
    assert played.outcome == "success"
    assert [e.tool for e in played.environment.events] == ["graceful_degradation"]
    assert agent.usage.requests == 1
    assert agent.usage.tokens_out == len(SAYS) - 1
    assert agent.usage.tokens_in > 500


def test_a_random_model_babbles_and_fails_by_its_own_fault(babbling: str) -> None:
    agent = LanguageModelAgent("hf:x", LocalChat(_settings(babbling)), _settings(babbling))
    played = play(lambda: make_backend("surrogate", TASK.network, 51), agent, task=TASK)
    assert played.outcome == "failure"
    assert agent.usage.tokens_out > 0


def test_equal_seeds_write_equally(babbling: str) -> None:
    chat = LocalChat(_settings(babbling, temperature=1.5))
    tools = function_tools(Scope(tools=frozenset(SCOPE)))
    messages = [{"role": "user", "content": "Hello."}]
    said = [chat.complete(messages, tools, seed).text for seed in (1, 1, 2)]
    assert said[0] == said[1]
    assert said[0] != said[2]


def test_the_template_gets_tools_and_earlier_calls_as_objects(tmp_path: Path) -> None:
    chat = LocalChat(_settings(_model(tmp_path / "model", says=SAYS)))
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "get_slice_status", "arguments": '{"slice": "mmtc"}'},
    }
    malformed = {"id": "2", "type": "function", "function": {"name": "f", "arguments": "{"}}
    spoken = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "", "tool_calls": [call, malformed]},
        {"role": "tool", "tool_call_id": "1", "name": "get_slice_status", "content": "{}"},
    ]
    tools = function_tools(Scope(tools=frozenset(SCOPE)))
    reply = chat.complete(spoken, tools, 0)
    assert [call.name for call in reply.calls] == ["graceful_degradation"]
    prompt = "".join(f"{name}\n" for name in SCOPE)
    prompt += "user: Hi<end>assistant: mmtc<end>tool: {}<end><assistant>"
    assert reply.tokens_in == len(_tokenizer()(prompt)["input_ids"])


def test_a_conversation_beyond_the_models_positions_is_refused(tmp_path: Path) -> None:
    chat = LocalChat(_settings(_model(tmp_path / "model", positions=64)))
    with pytest.raises(ContextLengthError, match="exceed 64"):
        chat.complete([{"role": "user", "content": "a" * 60}], [], 0)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchUserError, match="cannot be loaded") as refusal:
        make_baseline(f"hf:{tmp_path}", TASK)
    assert str(tmp_path) in str(refusal.value)


def test_a_model_without_a_template_is_refused(babbling: str, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(babbling)
    tokenizer.chat_template = None
    transformers.AutoModelForCausalLM.from_pretrained(babbling).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(BenchUserError, match="no chat template"):
        make_baseline(f"hf:{tmp_path}", TASK)


def test_pickled_weights_are_not_loaded(babbling: str, tmp_path: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(babbling)
    _tokenizer().save_pretrained(tmp_path)
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(BenchUserError, match="cannot be loaded"):
        make_baseline(f"hf:{tmp_path}", TASK)
