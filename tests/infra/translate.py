"""Print the translated templates as JSON; run by the environment that has SAM's translator."""

import json
import os
import sys
from pathlib import Path


def main(root):
    """Translate the root template as if its images were pushed; read the others as they are."""
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.yaml_helper import yaml_parse

    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")
    template = yaml_parse((root / "template.yaml").read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            image = resource["Metadata"]["DockerTag"]
            resource["Properties"]["ImageUri"] = f"1.dkr.ecr.eu-west-1.amazonaws.com/x:{image}"
    parameters = {
        name: parameter.get("Default", "x") for name, parameter in template["Parameters"].items()
    }
    templates = {"template.yaml": Translator({}, Parser()).translate(template, parameters)}
    for path in sorted((root / "infra").glob("*.yaml")):
        templates[f"infra/{path.name}"] = yaml_parse(path.read_text(encoding="utf-8"))
    json.dump(templates, sys.stdout, default=str)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
