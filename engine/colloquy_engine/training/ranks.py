"""The ranks of a trainer on several devices. torchrun, or Ray Train on a cluster, starts one process for each. The first one reads jobs and reports; all of them train.

A trainer on one device is its only rank, and nothing here does anything then.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor

Value = TypeVar("Value")

# Between two jobs the other ranks wait for days. The end of a rank is noticed by torchrun, which ends the others; a silence is noticed by the worker.
WAIT = timedelta(days=30)
# For work that takes all ranks equally long. A rank that is not there by then waits for this one in the middle of that work.
SKEW = timedelta(seconds=60)


class RankLost(Exception):
    """Another rank has ended."""


class Apart(Exception):
    """Another rank waits for this one in the middle of what this one has given up. They can do nothing together any more."""


class Ranks:
    """This process among the ranks of its trainer."""

    def __init__(self) -> None:
        self.rank, self.size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        self.first = self.rank == 0

    def join(self) -> None:
        """Meets the other ranks, each on the graphics card of its own number. Ray Train has done this already for its workers."""
        if self.size == 1:
            return
        if not dist.is_initialized():
            _end_with_torchrun()
            if torch.cuda.is_available():
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=WAIT)
        self._messages = dist.new_group(backend="gloo", timeout=WAIT)

    def leave(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()

    def of_first(self, value: Value) -> Value:
        """The first rank's value, on all ranks."""
        if self.size == 1:
            return value
        box = [value]
        with _losing_a_rank():
            dist.broadcast_object_list(box, src=0, group=self._messages, device=torch.device("cpu"))
        return box[0]

    def of_all(self, value: Value) -> list[Value]:
        """The values of all ranks, on all ranks. None of them goes on before all have come here."""
        if self.size == 1:
            return [value]
        values: list = [None] * self.size
        with _losing_a_rank():
            dist.all_gather_object(values, value, group=self._messages)
        return values

    def all_can(self, here: bool) -> bool:
        """Whether all ranks could do what they did together. Raises Apart when another one is still in the middle of it, waiting for this one."""
        can = torch.tensor(int(here))
        work = dist.all_reduce(can, dist.ReduceOp.MIN, group=self._messages, async_op=True)
        try:
            with _losing_a_rank():
                work.wait(SKEW)
        except RuntimeError as error:
            raise Apart(str(error)) from error
        return bool(can)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives all ranks the mean of their gradients. A rank that had no rows counts as 0."""
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for dtype in {parameter.dtype for parameter in trained}:
            same = [parameter for parameter in trained if parameter.dtype == dtype]
            for parameter in same:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
            together = torch.cat([parameter.grad.flatten() for parameter in same])
            with _losing_a_rank():
                dist.all_reduce(together)
            together /= self.size
            for parameter, mean in zip(same, together.split([parameter.numel() for parameter in same]), strict=True):
                parameter.grad.copy_(mean.view_as(parameter.grad))


class _losing_a_rank:
    """Turns what a broken connection raises inside the block into RankLost."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind, error, _trace) -> None:
        if is_rank_lost(error):
            raise RankLost(str(error)) from error


def is_rank_lost(error: BaseException | None) -> bool:
    """Whether an error comes from a connection to another rank."""
    return isinstance(error, (RankLost, dist.DistError)) or (isinstance(error, RuntimeError) and any(word in str(error) for word in ("gloo", "NCCL")))


def _end_with_torchrun() -> None:
    """Makes the kernel kill this process when torchrun, its parent, dies for any reason. Linux only; `leave_with_parent` does it elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor that may be sharded over the ranks, whole and in main memory. All ranks must call it."""
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().cpu()


def own_part(tensor: torch.Tensor) -> torch.Tensor:
    """The part of a tensor that this rank holds; all of one that is not sharded."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def sharded_like(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A whole tensor, sharded over the ranks as another one is. Nothing is sent: each rank has the whole tensor."""
    if not isinstance(like, DTensor):
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def shard_again(network: nn.Module) -> None:
    """To be called after a forward pass without a gradient. Ranks that share the weights have some of them whole then, until a backward pass."""
    for module in network.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def whole_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """All weights of a network that is sharded over the ranks, whole and in main memory. All ranks must call it. Tied weights are one tensor."""
    known: dict[int, torch.Tensor] = {}
    for parameter in network.parameters():
        known[id(parameter)] = whole(parameter)
    return {name: known[id(parameter)] for name, parameter in network.named_parameters(remove_duplicate=False)}


def own_parts(weights: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """The parts of whole weights that this rank holds of a network."""
    return {name: own_part(sharded_like(weights[name], weight)) for name, weight in network.named_parameters() if name in weights}


@torch.no_grad()
def put_own_parts(network: nn.Module, parts: dict[str, torch.Tensor]) -> None:
    """Gives a network these weights, each rank its own parts of them."""
    for name, weight in network.named_parameters():
        if name in parts:
            own_part(weight).copy_(parts[name])


def whole_optimizer(optimizer: torch.optim.Optimizer) -> dict:
    """The state of an optimizer whose tensors are sharded over the ranks, with whole ones. All ranks must call it."""
    return _mapped(optimizer.state_dict(), whole)


def put_whole_optimizer(optimizer: torch.optim.Optimizer, saved: dict) -> None:
    """Gives an optimizer this state with whole tensors, each rank its own parts of them."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for place, state in saved["state"].items():
        like = parameters[place]
        saved["state"][place] = {name: sharded_like(value, like) if value.shape == like.shape else value for name, value in state.items()}
    optimizer.load_state_dict(saved)


def _mapped(value, change: Callable[[torch.Tensor], torch.Tensor]):
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    return change(value) if isinstance(value, torch.Tensor) else value
