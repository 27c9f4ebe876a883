"""Makes `followyouremoji/face/data/face_mesh.task` from the models that mediapipe 0.10.21 brings.

    pip install mediapipe==0.10.21
    python benchmarks/mesh_bundle.py

From 0.10.30 on mediapipe has the Tasks API alone, and the bundle that Google publishes for it holds another network,
whose landmarks are 1.2 to 9 % of the pupil distance away. The Tasks API also runs the mesh's network if that has the
same two outputs: all 478 landmarks, and how sure it is. So the refinement of eyes, lips and irises, which the older
mediapipe computes outside the network, is written here as operations at its end; no weight is changed.

The models are Copyright The MediaPipe Authors, under the Apache License 2.0.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import flatbuffers
import mediapipe
import numpy as np
from mediapipe.calculators.util import landmarks_refinement_calculator_pb2 as refinement_pb2
from mediapipe.framework import calculator_pb2
from mediapipe.python._framework_bindings.validated_graph_config import ValidatedGraphConfig
from mediapipe.tasks.metadata import schema_py_generated as tflite
from mediapipe.tasks.python.metadata.metadata_writers.metadata_writer import MetadataWriter

MODULES = Path(mediapipe.__file__).parent / "modules"
BUNDLE = Path(__file__).parents[1] / "src" / "followyouremoji" / "face" / "data" / "face_mesh.task"
LANDMARKS = 478


def main() -> None:
    mesh = with_all_landmarks((MODULES / "face_landmark/face_landmark_with_attention.tflite").read_bytes())
    detector = (MODULES / "face_detection/face_detection_short_range.tflite").read_bytes()
    with zipfile.ZipFile(BUNDLE, "w", zipfile.ZIP_STORED) as bundle:  # stored: it is mapped into memory
        for name, model, mean, deviation in (
            ("face_detector.tflite", detector, 127.5, 127.5),  # pixels as -1 to 1
            ("face_landmarks_detector.tflite", mesh, 0.0, 255.0),  # as 0 to 1
        ):
            writer = MetadataWriter.create(bytearray(model))
            writer.add_image_input([mean], [deviation])
            bundle.writestr(zipfile.ZipInfo(name), bytes(writer.populate()[0]))
    print(f"{BUNDLE}: {BUNDLE.stat().st_size} bytes")


def with_all_landmarks(model: bytes) -> bytes:
    """The mesh's network with the outputs (1, 1, 1, 1434) landmarks and (1, 1, 1, 1) score.

    Its own are the mesh (x, y, z of 468 points), then x, y of lips, right eye, left eye, right iris, left iris, and the
    score. All are joined to one row, followed by the two irises' depths; from it the landmarks are gathered.
    """
    graph = Graph(tflite.ModelT.InitFromObj(tflite.Model.GetRootAsModel(model, 0)))
    *parts, score = graph.outputs
    widths = [graph.width(part) for part in parts]
    starts, depths = np.cumsum([0, *widths[:-1]]), sum(widths)
    source = np.zeros((LANDMARKS, 3), np.int32)
    row = graph.reshaped(graph.joined(parts, axis=3), (depths,))
    means = []
    for number, (start, refinement) in enumerate(zip(starts, refinements(), strict=True)):
        points = list(refinement.indexes_mapping)
        values = 3 if number == 0 else 2
        source[points, :2] = start + values * np.arange(len(points))[:, None] + (0, 1)
        averaged = list(refinement.z_refinement.assign_average.indexes_for_average)
        if refinement.z_refinement.HasField("copy"):
            source[points, 2] = start + 3 * np.arange(len(points)) + 2
        elif averaged:
            source[points, 2] = depths + len(means)
            means.append(graph.mean(graph.gathered(row, source[averaged, 2])))
    row = graph.joined([row, *means], axis=0)
    landmarks = graph.gathered(row, source.reshape(-1))
    graph.outputs = [graph.reshaped(landmarks, (1, 1, 1, 3 * LANDMARKS)), score]
    return graph.packed()


def refinements() -> list[refinement_pb2.LandmarksRefinementCalculatorOptions.Refinement]:
    """Which landmarks each output gives, in the order of the outputs: as mediapipe's own graph has it."""
    graph = ValidatedGraphConfig()
    graph.initialize(binary_graph_path=str(MODULES / "face_landmark/face_landmark_front_cpu.binarypb"))
    config = calculator_pb2.CalculatorGraphConfig.FromString(graph.binary_config)
    (node,) = (node for node in config.node if node.calculator == "LandmarksRefinementCalculator")
    return list(node.options.Extensions[refinement_pb2.LandmarksRefinementCalculatorOptions.ext].refinement)


class Graph:
    """A TensorFlow Lite model to which operations are added; tensors are numbers."""

    def __init__(self, model: tflite.ModelT) -> None:
        self._model = model
        self._graph = model.subgraphs[0]
        self.outputs = [int(tensor) for tensor in self._graph.outputs]

    def width(self, tensor: int) -> int:
        return int(self._graph.tensors[tensor].shape[-1])

    def joined(self, tensors: list[int], axis: int) -> int:
        shape = list(self._graph.tensors[tensors[0]].shape)
        shape[axis] = sum(int(self._graph.tensors[tensor].shape[axis]) for tensor in tensors)
        options = tflite.ConcatenationOptionsT()
        options.axis = axis
        return self._operation("CONCATENATION", tensors, shape, options)

    def reshaped(self, tensor: int, shape: tuple[int, ...]) -> int:
        options = tflite.ReshapeOptionsT()
        options.newShape = list(shape)
        return self._operation("RESHAPE", [tensor, self._constant(shape)], shape, options)

    def gathered(self, row: int, places: np.ndarray) -> int:
        options = tflite.GatherOptionsT()
        return self._operation("GATHER", [row, self._constant(places)], (len(places),), options)

    def mean(self, row: int) -> int:
        options = tflite.ReducerOptionsT()
        options.keepDims = True
        return self._operation("MEAN", [row, self._constant([0])], (1,), options)

    def packed(self) -> bytes:
        self._graph.outputs = self.outputs
        builder = flatbuffers.Builder(1 << 22)
        builder.Finish(self._model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _operation(self, name: str, inputs: list[int], shape: object, options: object) -> int:
        code = tflite.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(tflite.BuiltinOperator, name)
        code.version = 1
        self._model.operatorCodes.append(code)
        operation = tflite.OperatorT()
        operation.opcodeIndex = len(self._model.operatorCodes) - 1
        operation.inputs, operation.outputs = inputs, [self._tensor(shape, tflite.TensorType.FLOAT32, 0)]
        kind = type(options).__name__.removesuffix("T")
        operation.builtinOptionsType, operation.builtinOptions = getattr(tflite.BuiltinOptions, kind), options
        self._graph.operators.append(operation)
        return operation.outputs[0]

    def _constant(self, values: object) -> int:
        numbers = np.asarray(values, np.int32)
        buffer = tflite.BufferT()
        buffer.data = np.frombuffer(numbers.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        return self._tensor(numbers.shape, tflite.TensorType.INT32, len(self._model.buffers) - 1)

    def _tensor(self, shape: object, kind: int, buffer: int) -> int:
        tensor = tflite.TensorT()
        tensor.shape, tensor.type, tensor.buffer = [int(extent) for extent in shape], kind, buffer  # type: ignore[attr-defined]
        tensor.name = f"landmarks/{len(self._graph.tensors)}"
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1


if __name__ == "__main__":
    main()
