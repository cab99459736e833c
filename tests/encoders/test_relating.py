"""Cells that look alike are told apart by what else is there, in the same picture and in another one."""

import pytest
import torch

from mmil.contracts import UserError
from mmil.encoders import FilmFusion, Sizes
from mmil.encoders.language import Sentence
from mmil.pinhole import world_rays

GRID, TOKEN, ABOVE = (8, 8), 16, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.8]  # a camera that looks straight down
LEFT, RIGHT, BY_THE_CAN = range(3)
CUBE, CAN = torch.eye(TOKEN)[:2]


def fusion(marks: int, cameras=("front",), *, level: bool = False) -> FilmFusion:
    torch.manual_seed(0)
    sizes = Sizes(
        {camera: GRID for camera in cameras},
        token=TOKEN,
        sentence=1,
        others=0,
        aspects=dict.fromkeys(cameras, 1.0),
        past=1,
        signals=("eef_pos_world", *(f"camera_{camera}" for camera in cameras)),
    )
    return FilmFusion(sizes, points=2, width=8, ground=0.0, marks=marks, level=level)


def told(which: torch.Tensor) -> Sentence:
    tokens = torch.zeros(len(which), 1, TOKEN)
    tokens[torch.arange(len(which)), 0, which] = 1.0
    return Sentence(tokens, tokens, torch.ones(len(which), 1, dtype=torch.bool))


def pictures(count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two equal cubes and a can next to one of them; what is asked for, and the cell it is in."""
    tokens, asked = torch.zeros(count, 1, GRID[0] * GRID[1], TOKEN), torch.randint(3, (count,), generator=generator)
    wanted = torch.zeros(count, dtype=torch.long)
    for number in range(count):
        columns = torch.randperm(GRID[1], generator=generator)[:2].tolist()
        rows = [int(torch.randint(GRID[0] - 2, (), generator=generator)) for _ in columns]
        while abs(rows[0] - rows[1]) < 2:
            rows[1] = int(torch.randint(GRID[0] - 2, (), generator=generator))
        cubes = [row * GRID[1] + column for row, column in zip(rows, columns, strict=True)]
        marked = int(torch.randint(2, (), generator=generator))
        tokens[number, 0, cubes] = CUBE
        tokens[number, 0, cubes[marked] + GRID[1]] = CAN
        order = sorted(range(2), key=columns.__getitem__)
        wanted[number] = cubes[marked if asked[number] == BY_THE_CAN else order[0 if asked[number] == LEFT else 1]]
    return tokens, asked, wanted


def looks(policy: FilmFusion, tokens: torch.Tensor, asked: torch.Tensor, *, hand=(0.0, 0.0, 0.0)) -> torch.Tensor:
    """(B, N), logarithms."""
    signals = {"camera_front": torch.tensor(ABOVE), "eef_pos_world": torch.tensor(hand)}
    signals = {name: value.expand(len(asked), 1, -1) for name, value in signals.items()}
    return policy({"front": tokens}, told(asked), signals=signals).looks["front"][:, 0, 0]


@pytest.mark.parametrize(("marks", "least", "most"), [(0, 0.0, 0.65), (2, 0.95, 1.0)])
def test_which_of_two_alike_is_told_by_where_they_lie(marks, least, most):
    policy, generator = fusion(marks), torch.Generator().manual_seed(1)
    tokens, asked, wanted = pictures(2560, generator)
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    for step in range(400):
        some = torch.arange(128) + 128 * (step % 16)
        loss = torch.nn.functional.nll_loss(looks(policy, tokens[some], asked[some]), wanted[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        right = (looks(policy, tokens[2048:], asked[2048:]).argmax(dim=1) == wanted[2048:]).float().mean()
    assert least <= right <= most


def test_what_one_camera_marks_changes_what_another_looks_at():
    policy = fusion(2, cameras=("front", "wrist"))
    asked = torch.zeros(1, dtype=torch.long)
    signals = {name: torch.tensor(ABOVE).expand(1, 1, -1) for name in ("camera_front", "camera_wrist")}
    signals["eef_pos_world"] = torch.zeros(1, 1, 3)
    found = []
    for cell in (0, 60):
        front = torch.zeros(1, 1, GRID[0] * GRID[1], TOKEN)
        front[0, 0, cell] = 10 * CUBE
        wrist = torch.ones(1, 1, GRID[0] * GRID[1], TOKEN)
        found.append(policy({"front": front, "wrist": wrist}, told(asked), signals=signals).looks["wrist"])
    assert not torch.allclose(*found)


def test_the_line_of_sight_through_the_hand_meets_its_level_there():
    policy, cell = fusion(0), 3 * GRID[1] + 6
    pose = torch.tensor([0.1, -0.2, 1.0, 0.1, -0.2, 0.3, 0.93, 0.8]).view(1, 1, 8)
    pose[..., 3:7] /= pose[..., 3:7].norm()
    ray = world_rays(pose, grid=GRID, aspect=1.0)[0, 0, cell]
    for far in (0.4, 0.9):
        signals = {"camera_front": pose, "eef_pos_world": pose[..., :3] + far * ray}
        assert policy.locate_level("front", signals)[0, 0, cell].abs().max() < 1e-5
        assert policy.locate("front", signals)[0, 0, cell].abs().max() > 0.05  # the ground is further on


def test_a_point_is_told_at_the_hands_level_too():
    tokens, asked, _ = pictures(3, torch.Generator().manual_seed(0))
    policy, seen = fusion(2, level=True), []
    policy.mix[0].register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    maps = looks(policy, tokens, asked, hand=(0.1, 0.0, 0.3)).exp()
    signals = {"camera_front": torch.tensor(ABOVE), "eef_pos_world": torch.tensor([0.1, 0.0, 0.3])}
    places = policy.locate_level("front", {name: value.view(1, 1, -1) for name, value in signals.items()})
    assert torch.allclose(seen[0][:, -4:-2], maps @ places[0, 0], atol=1e-5)
    assert [name for name, _ in policy.columns["mix.0.weight"]][-1] == "level.front"
    with pytest.raises(UserError, match="level is told beside the ground"):
        FilmFusion(Sizes({"front": GRID}, token=8, sentence=1, others=0, aspects={"front": 1.0}, past=1), level=True)


def test_marks_need_a_ground_to_lie_on():
    with pytest.raises(UserError, match="2 marks lie on the ground; give its height as `ground`"):
        FilmFusion(Sizes({"front": GRID}, token=8, sentence=1, others=0, aspects={"front": 1.0}, past=1), marks=2)
