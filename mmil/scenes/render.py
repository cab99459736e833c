"""Pictures of a mujoco model, each from a GL context that is made current before it is used or freed.

robosuite's own render context never makes itself current, so that after a garbage collection frames are
silently stale (robosuite#779). Scenes therefore switch robosuite's renderer off and use this one.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import weakref
from collections.abc import Iterator
from typing import Literal

import mujoco
import numpy as np

from mmil.contracts import UserError

Rendering = Literal["fast", "stock"]
GEOM = int(mujoco.mjtObj.mjOBJ_GEOM)
HIDDEN = 0  # the group of collision geoms, which is not drawn; group 1 holds what the eye sees
NO_EGL = (
    "cannot render (MUJOCO_GL={backend}): it takes MUJOCO_GL=egl before mujoco is imported, and EGL, for which on "
    "Debian-like systems type: apt-get install -y libegl1 libgl1 libglib2.0-0"
)


def _context(width: int, height: int) -> mujoco.gl_context.GLContext:
    # mesa and triton (of which torch's optimisers make use) each bring an LLVM, and the process dies where triton's is
    # loaded second
    with contextlib.suppress(ImportError):
        importlib.import_module("triton._C.libtriton")
    try:
        from mujoco.gl_context import GLContext

        return GLContext(width, height)
    except (ImportError, AttributeError, RuntimeError, OSError) as error:
        raise UserError(NO_EGL.format(backend=os.environ.get("MUJOCO_GL", "unset"))) from error


def _mjr_context(model: mujoco.MjModel) -> mujoco.MjrContext:
    try:
        return mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
    except mujoco.FatalError as error:  # also where mujoco was imported before MUJOCO_GL was set
        raise UserError(NO_EGL.format(backend=os.environ.get("MUJOCO_GL", "unset"))) from error


class Renderer:
    """Renders any camera of a model at one size; the caller owns it and closes it."""

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        *,
        height: int,
        width: int,
        rendering: Rendering = "fast",
        floor: bool = True,  # in fast rendering: with its texture, a sixth of the time
    ) -> None:
        self._model, self._data, self._culls = model, data, rendering == "fast"
        self._viewport = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), np.uint8)
        self._nearness = np.empty((height, width), np.float32)  # 1 at the near plane, 0 at the far one
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        if rendering == "fast":
            if not floor:
                model.geom_matid[model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE] = -1
            quality = model.vis.quality
            quality.offsamples = 0  # 4x multisampling is a third of the time and hardly shows at 128 pixels
            quality.numslices, quality.numstacks, quality.numquads = 16, 8, 1  # of round things and boxes: a fifth
        self._gl = _context(width, height)
        self._gl.make_current()
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._option = mujoco.MjvOption()
        self._option.geomgroup[HIDDEN] = 0
        self._option.geomgroup[2] = 0  # markers
        self._option.sitegroup[:] = 0  # more of them, which robosuite makes transparent at the first reset only
        self._mjr = _mjr_context(model)
        self._free = weakref.finalize(self, _free, self._gl, self._mjr)
        self._free.atexit = False
        atexit.register(self._free)  # that is, before mujoco's own end of the GL display, which was registered earlier
        self._mjr.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR  # as it is kept: the other way loses digits
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._mjr)
        if rendering == "fast":
            self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
            self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0

    def render(self, camera_id: int) -> np.ndarray:
        """uint8 (h, w, 3), RGB, row 0 on top; a new array every time."""
        self._look(camera_id)
        mujoco.mjr_render(self._viewport, self._scene, self._mjr)
        mujoco.mjr_readPixels(self._pixels, None, self._viewport, self._mjr)
        return self._pixels[::-1].copy()  # OpenGL counts rows from the bottom

    def render_deep(self, camera_id: int) -> tuple[np.ndarray, np.ndarray]:
        """The picture and, at next to no cost, its depth as measure() has it; only where `sharp`."""
        self._look(camera_id)
        metres = self._depth()
        return self._pixels[::-1].copy(), metres

    def measure(self, camera_id: int) -> tuple[np.ndarray, np.ndarray]:
        """What render() shows, pixel for pixel: float32 (h, w) depth [m], inf where nothing is, and int (h, w) bodies.

        Depth is along the optical axis; bodies are numbers of the model, 0 the world or nothing.
        """
        self._look(camera_id)
        with self._in_numbers():
            metres = self._depth()
        geoms = self._scene.geoms[: self._scene.ngeom]
        drawn = [self._model.geom_bodyid[one.objid] if one.objtype == GEOM else 0 for one in geoms]
        numbers = self._pixels.astype(np.int32) @ (1, 1 << 8, 1 << 16)
        return metres, np.array([0, *drawn])[numbers[::-1]]

    @property
    def sharp(self) -> bool:
        """Whether a pixel of a picture is one point, and no mean of several that its depth could not be of."""
        return self._mjr.offSamples == 0

    def _look(self, camera_id: int) -> None:
        if not self._free.alive:
            raise RuntimeError("this renderer is closed")
        self._gl.make_current()
        self._camera.fixedcamid = camera_id
        self._update_scene()

    def _depth(self) -> np.ndarray:
        """float32 (h, w) [m], row 0 on top, of what is drawn; the pixels are left as OpenGL has them."""
        mujoco.mjr_render(self._viewport, self._scene, self._mjr)
        mujoco.mjr_readPixels(self._pixels, self._nearness, self._viewport, self._mjr)
        near, far = self._scene.camera[0].frustum_near, self._scene.camera[0].frustum_far
        metres = np.where(self._nearness > 0, near * far / (near + self._nearness * (far - near)), np.inf)
        return metres[::-1].astype(np.float32)

    @contextlib.contextmanager
    def _in_numbers(self) -> Iterator[None]:
        """Geoms in flat colours that number them from 1, which mujoco draws without multisampling."""
        flags = self._scene.flags.copy()
        kept, wanted = mujoco.mjtRndFlag.mjRND_CULL_FACE, mujoco.mjtRndFlag.mjRND_SEGMENT
        self._scene.flags[:] = 0
        self._scene.flags[wanted] = self._scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
        self._scene.flags[kept] = flags[kept]
        try:
            yield
        finally:
            self._scene.flags[:] = flags

    def _update_scene(self) -> None:
        model, groups = self._model, self._model.geom_group.copy()
        if self._culls:
            model.geom_group[self._out_of_view()] = HIDDEN
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(model, self._data, self._option, None, self._camera, everything, self._scene)
        model.geom_group[:] = groups

    def _out_of_view(self) -> np.ndarray:
        """bool (geoms,): whose bounding sphere no ray of the camera meets; mujoco would draw them all the same."""
        model, data, camera = self._model, self._data, self._camera.fixedcamid
        centre = (data.geom_xpos - data.cam_xpos[camera]) @ data.cam_xmat[camera].reshape(
            3, 3
        )  # x right, y up, −z ahead
        up = np.tan(np.radians(model.cam_fovy[camera]) / 2)
        edges = np.array([up * self._viewport.width / self._viewport.height, up])
        beyond = (np.abs(centre[:, :2]) + edges * centre[:, 2:]) / np.sqrt(1 + edges**2)  # [m], of the nearer edge
        radius = model.geom_rbound
        return ((beyond > radius[:, None]).any(axis=1) | (centre[:, 2] > radius)) & (radius > 0)  # 0: a plane

    def close(self) -> None:
        """Free the GL objects in the context that made them; also done when nobody holds this renderer any more."""
        self._free()
        atexit.unregister(self._free)


def _free(context: mujoco.gl_context.GLContext, mjr: mujoco.MjrContext) -> None:
    context.make_current()
    mjr.free()
    context.free()
