"""Print as JSON what AWS makes of the templates; for the Python that has SAM's translator."""

import json
import os
import sys
from pathlib import Path


def main(root):
    """Translate the root template as if its images were pushed, and read the others as they are."""
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.yaml_helper import yaml_parse

    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")
    template = yaml_parse((root / "template.yaml").read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            image = resource["Metadata"]["DockerTag"]
            resource["Properties"]["ImageUri"] = f"1.dkr.ecr.eu-west-1.amazonaws.com/x:{image}"
    given = {name: each.get("Default", "x") for name, each in template["Parameters"].items()}
    found = {"template.yaml": Translator({}, Parser()).translate(template, given)}
    for path in sorted((root / "infra").glob("*.yaml")):
        found[f"infra/{path.name}"] = yaml_parse(path.read_text(encoding="utf-8"))
    json.dump(found, sys.stdout, default=str)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
