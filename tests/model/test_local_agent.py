"""LocalAgent writes what its model would write alone: in any batch, with kept caches, greedily or sampled."""

import gc
import weakref
from random import Random

import pytest
from small_models import SMALL, build, byte_tokenizer

from pipeline.agent import History, Told, Written

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer()


@pytest.fixture(scope="module", params=["gpt_oss", "llama", "mistral"])
def model(request, tokenizer):
    return build(request.param, len(tokenizer))


@pytest.fixture(scope="module")
def gpt_oss(tokenizer):
    return build("gpt_oss", len(tokenizer))


def agent(model, tokenizer, **settings):
    from pipeline.local_agent import LocalAgent

    return LocalAgent(model, tokenizer, **({"max_new_tokens": 24} | settings))


SHARED = [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]


def told(random: Random, length: int) -> Told:
    return Told((), "", tuple(random.randrange(256) for _ in range(length)))


def conversations(count: int = 10) -> list[tuple[History, list[Told]]]:
    """Histories of uneven length with the answers that will come between their turns.

    The first two have the same prompt, and many turns are as long as each other: so rows begin and go on
    together, and have to be padded.
    """
    found = []
    for number in range(count):
        random = Random(number)
        prompt = told(Random(max(1, number)), (1, 3, 20, 60)[number % 4 if number > 1 else 2])
        answers = [told(random, random.choice((1, 2, 9, 40))) for _ in range(random.randrange(1, 4))]
        history = History([Told((), "", (*SHARED, *prompt.ids))], random.choice((1, 5, 13, 13, None)), random)
        found.append((history, answers))
    return found


def converse(agent, talks, together: int) -> list[list[tuple[int, ...]]]:
    """Let the agent write all turns, so many conversations at a time; the next begins where one ends."""
    waiting, running, left = list(talks), [], {id(history): list(answers) for history, answers in talks}
    while waiting or running:
        while waiting and len(running) < together:
            running.append(waiting.pop(0)[0])
        turns = agent.write(running)
        assert any(turn is not None for turn in turns)
        for history, turn in zip(list(running), turns, strict=True):
            if turn is None:
                continue
            assert turn.cut == (turn.ids[-1] not in agent.ends)
            assert history.room is None or len(turn.ids) <= history.room
            history.transcript.append(turn)
            if left[id(history)]:
                history.transcript.append(left[id(history)].pop(0))
            else:
                running.remove(history)
    return [[p.ids for p in history.transcript if isinstance(p, Written)] for history, _ in talks]


def alone(model, ends, talks, limit: int = 24) -> list[list[tuple[int, ...]]]:
    """The same without batch, padding or cache: the whole text is read again for each token."""
    import torch

    everything = []
    for history, answers in talks:
        ids, turns = list(history.transcript[0].ids), []
        for answer in [*answers, None]:
            turn: list[int] = []
            most = min(limit, history.room or limit)
            while len(turn) < most and not (turn and turn[-1] in ends):
                with torch.no_grad():
                    turn.append(int(model(torch.tensor([ids + turn])).logits[0, -1].argmax()))
            turns.append(tuple(turn))
            ids += [*turn, *(answer.ids if answer else ())]
        everything.append(turns)
    return everything


# What is written


@pytest.mark.parametrize("keep_cache", [True, False])
@pytest.mark.parametrize("together", [1, 2, 10])
def test_greedy_turns_are_those_of_the_model_alone(model, tokenizer, keep_cache, together):
    writer = agent(model, tokenizer, keep_cache=keep_cache)
    written = converse(writer, conversations(), together)
    assert written == alone(model, writer.ends, conversations())
    assert {len(turn) for turns in written for turn in turns} >= {1, 5, 13}


def test_sampled_turns_do_not_depend_on_the_batch(model, tokenizer):
    def sampled(together, order=1, keep_cache=True, **settings):
        writer = agent(model, tokenizer, temperature=1.0, keep_cache=keep_cache, **settings)
        return converse(writer, conversations()[::order], together)[::order]

    first = sampled(1)
    assert sampled(10) == first == sampled(3, order=-1) == sampled(10, keep_cache=False)
    turns = [turn for turns in first for turn in turns]
    assert any(turn[-1] >= 256 for turn in turns), "some turn should have ended by itself"
    greedy = converse(agent(model, tokenizer), conversations(), 10)
    assert first != greedy
    others = conversations()
    for history, _ in others:
        history.chance.seed(5)
    assert converse(agent(model, tokenizer, temperature=1.0), others, 10) != first


def test_drawing_follows_the_distribution():
    import torch

    from pipeline.local_agent import draw

    scores = torch.tensor([0.0, 1.0, -1.0, 2.0, float("-inf")])
    expected = torch.softmax(scores, 0)
    drawn = draw(scores.expand(20_000, -1), [Random(n).getrandbits(63) for n in range(20_000)])
    shares = torch.bincount(drawn, minlength=5) / 20_000
    assert (shares - expected).abs().max() < 0.012  # four standard deviations
    assert shares[-1] == 0


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("keep_cache", [True, False])
def test_log_probabilities_are_those_of_the_model(gpt_oss, tokenizer, temperature, keep_cache):
    import torch

    writer = agent(gpt_oss, tokenizer, temperature=temperature, logprobs=True, keep_cache=keep_cache)
    talks = conversations()
    converse(writer, talks, 10)
    for history, _ in talks:
        ids: list[int] = []
        for piece in history.transcript:
            if isinstance(piece, Written):
                with torch.no_grad():
                    logits = gpt_oss(torch.tensor([ids + list(piece.ids)])).logits[0, len(ids) - 1 : -1]
                expected = torch.log_softmax(logits / (temperature or 1.0), -1)
                expected = expected.gather(1, torch.tensor(piece.ids)[:, None])[:, 0]
                torch.testing.assert_close(torch.tensor(piece.logprobs), expected, rtol=1e-3, atol=1e-4)
            ids += piece.ids
    without = agent(gpt_oss, tokenizer).write([conversations(1)[0][0]])
    assert without[0].logprobs is None


# What is read


def tokens_read(model, work) -> int:
    """How many places of batches the model reads while it works, padding included."""
    seen: list[int] = []
    embeddings = model.get_input_embeddings()
    hook = embeddings.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].numel()))
    work()
    hook.remove()
    return sum(seen)


def test_with_kept_caches_nothing_is_read_twice(gpt_oss, tokenizer):
    def histories():
        prompts = [(*SHARED, *SHARED, *SHARED, *told(Random(n), 4).ids) for n in range(6)]
        return [History([Told((), "", prompt)], None, Random(0)) for prompt in prompts]

    def read(keep_cache):
        talks = [(history, [told(Random(1), 30)]) for history in histories()]
        writer = agent(gpt_oss, tokenizer, keep_cache=keep_cache, max_new_tokens=5)
        return tokens_read(gpt_oss, lambda: converse(writer, talks, 6))

    shared, own, turns, answers = 36, 6 * 4, 6 * 2 * 5, 6 * 30
    assert read(True) == pytest.approx(shared + own + turns + answers, abs=12)
    assert read(False) >= 6 * 40 + 6 * 75


def test_unfinished_turns_are_taken_up_where_they_were_left(gpt_oss, tokenizer):
    histories = [History([told(Random(n), 20)], room, Random(0)) for n, room in enumerate((2, 20, 20, 20))]
    writer = agent(gpt_oss, tokenizer, keep_cache=True)
    first = writer.write(histories)
    assert [turn is None for turn in first] == [False, True, True, True], "a quarter has ended"
    assert tokens_read(gpt_oss, lambda: writer.write(histories[1:])) <= 3 * 20
    for history, turn in zip(histories, first, strict=True):
        assert turn is None or history.memory.turn == []


def test_the_kept_cache_of_an_episode_goes_with_it(gpt_oss, tokenizer):
    history = History([told(Random(0), 20)], None, Random(0))
    agent(gpt_oss, tokenizer, keep_cache=True).write([history])
    kept = weakref.ref(history.memory.kept)
    gc.disable()  # a circle of references would keep it until the collector comes by
    try:
        del history
        assert kept() is None
    finally:
        gc.enable()


def test_a_model_with_other_layers_reads_its_histories_again(tokenizer):
    import torch
    from transformers import Lfm2Config, Lfm2ForCausalLM

    from pipeline.kept_cache import KeptCache

    torch.manual_seed(0)
    settings = {name: value for name, value in SMALL.items() if name != "head_dim"}
    config = Lfm2Config(vocab_size=len(tokenizer), layer_types=["conv", "full_attention"], **settings)
    model = Lfm2ForCausalLM(config).eval()
    assert not KeptCache.fits(model)
    with pytest.raises(ValueError, match="keep_cache=False"):
        agent(model, tokenizer, keep_cache=True)
    writer = agent(model, tokenizer)
    assert converse(writer, conversations(), 1) == alone(model, writer.ends, conversations())


def test_the_model_stays_in_the_mode_it_was_in(gpt_oss, tokenizer):
    try:
        for mode in (True, False):
            gpt_oss.train(mode)
            turn = agent(gpt_oss, tokenizer).write([conversations(1)[0][0]])
            assert gpt_oss.training is mode and turn[0].ids
    finally:
        gpt_oss.eval()


def test_a_tokenizer_without_harmony_is_refused_with_the_way_out(gpt_oss, tokenizer):
    class Plain:
        pad_token_id = 0

        def __len__(self):
            return 1

        def get_added_vocab(self):
            return {"<|endoftext|>": 0}

    with pytest.raises(ValueError, match="use EndpointAgent"):
        agent(gpt_oss, Plain())
