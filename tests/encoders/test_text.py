"""Text models of every build, small and random, from folders: what is read, kept and tuned of them."""

import pickle

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from mmil.contracts import UserError
from mmil.data.states import SentenceStates
from mmil.encoders import TextTokens
from mmil.encoders.kept import Kept
from tests.learning import SPEC

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "lift", "push", "the", "red", "green", "blue", "cube", "ball"]
WORDS += ["to", "left", "slowly", "and", "put", "it", "down"]
SAID = ["lift the red cube", "push the green ball to the left and put it down slowly", "lift it"]
SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}


def bert():
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=20, **SMALL))


def clip_tower():
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(CLIPTextConfig(vocab_size=len(WORDS), max_position_embeddings=20, eos_token_id=3, **SMALL))


def clip():
    from transformers import CLIPConfig, CLIPModel

    text = {"vocab_size": len(WORDS), "max_position_embeddings": 20, "eos_token_id": 3, **SMALL}
    return CLIPModel(CLIPConfig(text_config=text, vision_config={"image_size": 8, "patch_size": 4, **SMALL}))


def siglip():
    from transformers import SiglipConfig, SiglipModel

    text = {"vocab_size": len(WORDS), "max_position_embeddings": 20, **SMALL}
    return SiglipModel(SiglipConfig(text_config=text, vision_config={"image_size": 8, "patch_size": 4, **SMALL}))


def t5_encoder():
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=24, num_layers=3, num_heads=2))


def t5():
    from transformers import T5Config, T5Model

    return T5Model(T5Config(vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=24, num_layers=3, num_heads=2))


def gpt2():
    from transformers import GPT2Config, GPT2Model

    return GPT2Model(GPT2Config(vocab_size=len(WORDS), n_positions=20, n_embd=16, n_layer=3, n_head=2))


MODELS = {make.__name__: make for make in (bert, clip_tower, clip, siglip, t5_encoder, t5, gpt2)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    from transformers import PreTrainedTokenizerFast

    cutter = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    cutter.pre_tokenizer = pre_tokenizers.Whitespace()
    cutter.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    where = tmp_path_factory.mktemp("models")
    for name, make in MODELS.items():
        torch.manual_seed(0)
        make().save_pretrained(where / name)
        marks = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "eos_token": "[SEP]"}
        marks |= {} if name == "gpt2" else {"pad_token": "[PAD]"}
        PreTrainedTokenizerFast(tokenizer_object=cutter, **marks).save_pretrained(where / name)
    return where


@pytest.fixture(params=MODELS)
def folder(request, folders):
    return str(folders / request.param)


def small(folder, **options) -> TextTokens:
    torch.manual_seed(1)
    return TextTokens(SPEC, name=folder, **{"layers": (2, 3), "width": 8, **options})


@pytest.mark.parametrize("pooled", [False, True])
def test_tokens_and_pieces_of_every_model(folder, pooled):
    encoder = small(folder, pooled=pooled).eval()
    said = encoder(SAID)
    assert said.tokens.shape == (3, 1 if pooled else 4, 8) == (3, encoder.tokens, encoder.width)
    assert said.real.sum(dim=1).tolist() == ([1, 1, 1] if pooled else [6, 14, 4])
    assert said.pieces.shape == (3, 1 if pooled else 14, 8)
    alone = encoder([SAID[0]])
    assert torch.allclose(alone.tokens[0], said.tokens[0], atol=1e-5)
    assert torch.allclose(alone.pieces[0], said.pieces[0][said.real[0]], atol=1e-5)


@pytest.mark.parametrize("options", [{"frozen": False}, {"tuned_layers": 1}])
def test_padding_changes_nothing_where_the_model_learns(folder, options):
    encoder = small(folder, **options).eval()
    alone, beside = encoder([SAID[0]]), encoder(SAID)
    assert torch.allclose(alone.tokens[0], beside.tokens[0], atol=1e-5)
    assert torch.allclose(alone.pieces[0], beside.pieces[0][beside.real[0]], atol=1e-5)


@pytest.mark.parametrize("last, learning", [(0, set()), (1, {2}), (2, {1, 2}), (None, {0, 1, 2})])
def test_what_is_frozen_gets_no_gradient_and_the_rest_does(folder, last, learning):
    encoder = small(folder, **({"frozen": False} if last is None else {"tuned_layers": last})).train()
    encoder(SAID).tokens.square().sum().backward()
    layers = next(m for m in encoder.model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == 3)
    for at, layer in enumerate(layers):
        # T5's first layer says for all of them how near two words are
        assert all((p.grad is not None) == p.requires_grad for p in layer.parameters())
        assert any(p.requires_grad for p in layer.parameters()) == (at in learning) == layer.training
    assert all((p.grad is not None) == p.requires_grad for p in encoder.parameters())
    embedding = next(m for m in encoder.model.modules() if isinstance(m, torch.nn.Embedding))
    assert embedding.weight.requires_grad == (last is None) and encoder.frozen == (last == 0)


def test_what_is_kept_decides_nothing(folder):
    sentences = [f"{verb} the {colour} {thing}" for verb in ("lift", "push") for colour in ("red", "green", "blue")
                 for thing in ("cube", "ball to the left", "ball and lift it", "cube slowly")]  # fmt: skip
    roomy, tight, none = (small(folder).eval() for _ in range(3))
    roomy.read_ahead(sentences)
    tight._kept, none._kept = Kept(1 << 11), Kept(0)
    tight.read_ahead(sentences)
    assert len(roomy._kept) == 24 and 0 < len(tight._kept) < 24
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0)).tolist()
    for some in ([sentences[at] for at in order], sentences[3:5], sentences):
        of_roomy, of_tight, of_none = (encoder(some) for encoder in (roomy, tight, none))
        # several threads share out a batch's rows in another way, wherever a sentence stands in it
        torch.testing.assert_close(of_tight.tokens, of_roomy.tokens, rtol=0, atol=2e-3)
        torch.testing.assert_close(of_none.tokens, of_roomy.tokens, rtol=0, atol=2e-3)
    assert tight._kept.bytes <= 1 << 11 and len(none._kept) == 0


def test_a_pool_larger_than_the_store_is_not_read_again_and_again(folders, monkeypatch):
    encoder = small(str(folders / "bert")).eval()
    sentences = [
        f"{a} the {b} {c}" for a in ("lift", "push") for b in ("red", "green", "blue") for c in ("cube", "ball")
    ]
    encoder._kept = Kept(9 * 6 * 32 * 2)  # of 12 sentences, 9
    encoder.read_ahead(sentences)
    read, real = [], TextTokens._read
    monkeypatch.setattr(TextTokens, "_read", lambda self, some: read.append(len(set(some))) or real(self, some))
    draw = torch.Generator().manual_seed(0)
    for _ in range(50):
        encoder([sentences[at] for at in torch.randint(0, 12, (4,), generator=draw).tolist()])
    assert 0 < sum(read) < 0.4 * 200 and len(encoder._kept) == 9


def test_what_is_stored_is_read_once_for_all_trainings(folder, tmp_path, monkeypatch):
    read, real = [], TextTokens._read
    monkeypatch.setattr(TextTokens, "_read", lambda self, some: read.extend(some) or real(self, some))
    first, second, third, alone = (small(folder).eval() for _ in range(4))
    place, new = tmp_path / "said", (SAID[:2], SAID[2:], [])
    for encoder, said, expected in zip((first, second, third), (SAID[:2], SAID, SAID), new, strict=True):
        read.clear()
        encoder.stored = SentenceStates(place, encoder.fingerprint())
        encoder.read_ahead(said)
        assert set(read) == set(expected) and len(encoder._kept) == 0
    read.clear()
    of_third = third(SAID)
    assert not read
    torch.testing.assert_close(of_third.tokens, alone(SAID).tokens, rtol=0, atol=2e-3)


def test_where_nothing_can_be_stored_it_is_kept(folder, tmp_path):
    encoder = small(folder).eval()
    (tmp_path / "file").write_text("")
    encoder.stored = SentenceStates(tmp_path / "file" / "said", encoder.fingerprint())
    with pytest.warns(UserWarning, match="sentences are not kept: cannot write"):
        encoder.read_ahead(SAID)
    assert len(encoder._kept) == len(set(SAID))


def test_those_used_longest_ago_are_given_up():
    kept = Kept(3 * 8)
    for name in "abc":
        kept.put(name, torch.zeros(4).half())
    assert kept.get("a") is not None and kept.full
    kept.put("d", torch.zeros(4).half())
    assert [kept.get(name) is None for name in "abcd"] == [False, True, False, False] and kept.bytes == 24
    kept.put("e", torch.zeros(100).half())
    assert kept.get("e") is None and kept.bytes <= 24


def test_what_memory_has_no_room_for_comes_back_from_a_file():
    kept = Kept(3 * 8, away=4 * 8)
    for number, name in enumerate("abcdefg"):
        assert not kept.full
        kept.put(name, torch.full((1, 4), number).half())
    assert len(kept) == 7 and kept.bytes == 24 and kept.full
    assert [kept.get(name).tolist() for name in "agc"] == [[[number] * 4] for number in (0.0, 6.0, 2.0)]
    kept.put("h", torch.zeros(1, 4).half())  # the oldest in memory has no room in the file either
    assert kept.get("e") is None and kept.get("a") is not None and len(kept) == 7
    again = pickle.loads(pickle.dumps(kept))
    assert len(again) == 0 and (again.most, again.full) == (24, False)


def test_weights_survive_a_file(folder):
    encoder, again = small(folder).eval(), small(folder).eval()
    torch.nn.init.normal_(encoder.queries)
    again.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder(SAID).tokens, again(SAID).tokens)


def test_a_broken_folder_a_hub_out_of_reach_and_too_many_layers_are_told_in_a_line(folders, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"could not be loaded .*; give a local folder with config.json"):
        TextTokens(SPEC, name=str(tmp_path))
    with pytest.raises(UserError, match="cannot tune the last 4 of the 3 layers that are read of the text model"):
        small(str(folders / "bert"), tuned_layers=4)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        UserError, match=r"nobody/nothing could not be fetched .*; give as `name` a local folder"
    ) as error:
        TextTokens(SPEC, name="hub:nobody/nothing")
    assert "\n" not in str(error.value)
