# The images. A plain `docker build .` builds the last one: the training job, with every command of
# `aisle` except `compare`. `--target predict` and `--target feedback` build those of the Lambda
# functions.
#
# Lambda runs functions as an unprivileged user, with only /tmp writable. So these images set no
# user, and compile all Python files at build time.

# ---- source: the project's own files ---------------------------------------------------------------
FROM python:3.12-slim AS source
WORKDIR /source
COPY functions functions
COPY training training
COPY benchmark benchmark
COPY static_site static_site
COPY LICENSE ./
# After a checkout with umask 077 only the owner can read the files; in the images another user must.
RUN chmod -R a+rX .

# ---- predict: the API, with the packaged model ----------------------------------------------------
FROM public.ecr.aws/lambda/python:3.12 AS predict
WORKDIR /var/task
# Installed into the task root, which precedes the base image's SDK on sys.path.
COPY requirements/predict.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary=:all: --target . -r requirements/predict.txt
COPY --from=source /source/functions/aisle/*.py aisle/
COPY --from=source /source/functions/aisle/access aisle/access
COPY --from=source /source/functions/aisle/feedback aisle/feedback
COPY --from=source /source/functions/aisle/model aisle/model
COPY --from=source /source/functions/aisle/packaged aisle/packaged
COPY --from=source /source/functions/aisle/registry aisle/registry
COPY --from=source /source/functions/aisle/serving aisle/serving
COPY --from=source /source/functions/aisle/store aisle/store
COPY --from=source /source/functions/predict predict
RUN python -m compileall -q aisle predict \
 && python -c "import predict.handler"
CMD ["predict.handler.handler"]

# ---- feedback: also runs the authorizer and retrain, with other commands --------------------------
FROM public.ecr.aws/lambda/python:3.12 AS feedback
WORKDIR /var/task
COPY requirements/feedback.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary=:all: --target . -r requirements/feedback.txt
# The library without the code that runs a model, and without the packaged model.
COPY --from=source /source/functions/aisle/*.py aisle/
COPY --from=source /source/functions/aisle/access aisle/access
COPY --from=source /source/functions/aisle/feedback aisle/feedback
COPY --from=source /source/functions/aisle/registry aisle/registry
COPY --from=source /source/functions/aisle/serving/__init__.py aisle/serving/
COPY --from=source /source/functions/aisle/serving/aws aisle/serving/aws
COPY --from=source /source/functions/aisle/serving/feedback aisle/serving/feedback
COPY --from=source /source/functions/aisle/serving/http aisle/serving/http
COPY --from=source /source/functions/aisle/serving/learning aisle/serving/learning
COPY --from=source /source/functions/aisle/store aisle/store
COPY --from=source /source/functions/authorizer authorizer
COPY --from=source /source/functions/feedback feedback
COPY --from=source /source/functions/retrain retrain
RUN python -m compileall -q aisle authorizer feedback retrain \
 && python -c "import authorizer.handler, feedback.handler, retrain.handler"
CMD ["feedback.handler.handler"]

# ---- s3: an in-memory stand-in for S3 on a laptop --------------------------------------------------
FROM python:3.12-slim AS s3
WORKDIR /app
COPY requirements/s3.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary=:all: -r requirements/s3.txt \
 && python -c "import moto.server"
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER 993:990
ENTRYPOINT ["moto_server", "--host", "0.0.0.0", "--port", "9000"]

# ---- command: the command line, with everything to serve and train --------------------------------
FROM python:3.12-slim AS command
WORKDIR /app
# OpenMP, for LightGBM.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/*
COPY requirements/training.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary=:all: -r requirements/training.txt
COPY --from=source /source/LICENSE ./
COPY --from=source /source/functions/aisle functions/aisle
COPY --from=source /source/training training
COPY --from=source /source/static_site static_site
# The results that the page draws.
COPY --from=source /source/benchmark/results/comparison.json benchmark/results/
ENV PYTHONPATH=/app/functions:/app/training PYTHONUNBUFFERED=1 HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib
# The command that an installation would have. (-P keeps folders of /app from being imported.)
RUN printf '%s\n' '#!/usr/local/bin/python' 'from aisle.cli.main import main' \
      'if __name__ == "__main__":' '    main()' > /usr/local/bin/aisle \
 && chmod 755 /usr/local/bin/aisle \
 && python -m compileall -q functions training \
 && python -P -c "import aisle.serving.whole, aisle_training.pipeline, aisle_training.data.pictures, uvicorn" \
 && aisle --version
ENTRYPOINT ["aisle"]

# ---- labs: `command` with JupyterLab and the comparison's code, which the notebooks import -----------
FROM command AS labs
COPY requirements/labs.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary=:all: -r requirements/labs.txt \
 && python -c "import jupyterlab.labapp"
COPY --from=source /source/benchmark benchmark
ENV PYTHONPATH=/app/functions:/app/training:/app/benchmark
RUN python -m compileall -q benchmark \
 && python -P -c "import aisle_benchmark.notebook.tables, aisle_benchmark.notebook.mistakes"
USER 993:990
WORKDIR /app/notebooks
ENTRYPOINT ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"]

# ---- training: the job ------------------------------------------------------------------------------
FROM command AS training
USER 993:990
WORKDIR /tmp
CMD ["train"]
