# Every sentence for people. A problem's key is a message's name, its facts are the variables.
# A sentence says what is wrong and what would be right; no apologies, no exclamation marks.
# GIVEN($fact) is "yes" where a fact is not empty.

## Configuration

config-unknown = { GIVEN($nearest) ->
    [yes] { $key } is not a setting; did you mean { $nearest }?
   *[no] { $key } is not a setting. config.example.toml lists them all.
}
config-missing = { $key } is missing.
config-whole = { $key } must be a whole number; it is { $given }.
config-number = { $key } must be a number; it is { $given }.
config-yes-no = { $key } must be true or false; it is { $given }.
config-text = { $key } must be text in quotes; it is { $given }.
config-list = { $key } must be a list of texts such as ["auto"]; it is { $given }.
config-choice = { $key } must be { $expected }; it is { $given }.
config-least = { $key } must be at least { $ge }; it is { $given }.
config-most = { $key } must be at most { $le }; it is { $given }.
config-empty = { $key } must not be empty.
config-section = { $key } must be a section with keys of its own; it is { $given }.
config-value = { $key } cannot be { $given }.
config-file-missing = There is no file { $file }.
config-file-unreadable = The file { $file } cannot be read: { $reason }.
config-file-broken = { $file } is not valid TOML: { $reason }.

## What people type and attach

input-prompt-long = A prompt has at most { $most } characters; this one has { $given }.
input-prompt-deep = Brackets go at most { $most } deep; put the weight into one pair, such as (word:1.5).
input-size = A size is written like 768x512; you wrote { $given }.
input-strength-alone = Strength says how much of a picture is painted anew, so it needs a picture: add --image FILE.
input-file-missing = There is no file { $file }.
input-file-unreadable = The file { $file } cannot be read.
words-unknown = { $count ->
    [one] The model { $model } was not taught the word { $words }; it knows words such as { $known }.
   *[other] The model { $model } was not taught the words { $words }; it knows words such as { $known }.
}

## Source pictures

picture-bytes = The picture has { $given } bytes; up to { $most } are taken. A smaller copy or a JPEG will do.
picture-format = That file is none of the kinds of picture that are read here: { $offered }.
picture-pixels = The picture is { $width } × { $height } pixels; up to { $most } pixels in all are taken (4000 × 4000, for example). A smaller copy will do.
picture-parts = The picture file is cut into more than { $most } parts, which no ordinary one is. Saving it again in an image editor mends that.
picture-scans = The JPEG is built of more than { $most } layers, which no ordinary one is. Saving it again in an image editor mends that.
picture-broken = The { $format } file is damaged or breaks off. Saving or sending it again may mend that.

## What a model allows

range-number = { $name } must be from { $low } to { $high }; you wrote { $given }.
range-multiple = { $name } must be a multiple of { $multiple }; you wrote { $given }, and { $nearest } is the nearest.
range-pixels = { $width } × { $height } is more than this model paints: { $most } pixels in all.
range-no-steps = { $steps ->
    [one] With { $steps } step and strength { $strength } nothing is painted; strength must be at least { $least }.
   *[other] With { $steps } steps and strength { $strength } nothing is painted; strength must be at least { $least }.
}
range-dtype = dtype must be one of { $offered }; it is { $given }.
unknown-model = { GIVEN($nearest) ->
    [yes] There is no model { $given }; did you mean { $nearest }?
   *[no] There is no model { $given }. There are: { $offered }.
}
unknown-scheduler = { GIVEN($nearest) ->
    [yes] This model has no scheduler { $given }; did you mean { $nearest }?
   *[no] This model has no scheduler { $given }. It has: { $offered }.
}

## Models that cannot be used

model-missing = { $path } is not there or cannot be read. Put the model there, or correct its path in the configuration.
model-folder-missing = The models folder { $path } does not exist. Create it, or correct models_dir in the configuration.
model-name = { $path } cannot be the name of a model. Use up to 80 letters, digits, spaces and . _ + - ( ), each name once.
model-outside = { $path } is or holds a link that leaves the models folder. Move the files in, or name their own path in the configuration.
model-pickled = { $path } holds pickled weights, which can run any code when they are opened. Use the model's .safetensors file, or convert it elsewhere.
model-unreadable = { $path } is not a readable safetensors file or model configuration. Fetch it again.
model-truncated = { $path } ends too early: it has { $bytes } bytes and says it should have { $promised }. Fetch it again.
model-pointer = { $path } is a Git LFS pointer and not the weights themselves. Fetch the file with git lfs pull or from its page.
model-unfamiliar = { $path } is not a model of Stable Diffusion 1, 2, XL or 3. LoRAs, ControlNets and parts of a model do not belong here.
model-refiner = { $path } is an SDXL refiner, which cannot paint alone. Use an SDXL base model.
model-mode = { $path } takes { $channels } input channels, as models for inpainting or editing do. Use the plain model of the same family.
model-ema-names = { $path } holds nothing but averaged weights under their training names. Use the EMA-only file that its maker prepared for painting.
model-not-folder = { $path } is a folder without model_index.json. Name the folder of a whole diffusers model, or a .safetensors file.
model-part-missing = { $path } lacks its part { $part }. Fetch the model again, or give a config folder that holds this part.
model-variant = { $path } holds its parts in variants that do not belong together. Fetch all of one variant: plain, fp16 or bf16.
model-class = { $path } asks for { $given } as its { $part }, which Easel does not make. Use a stock Stable Diffusion 1, 2, XL or 3 model.
model-prediction = { $path } would predict “{ $given }”, which its family cannot. Predictions are { $offered }; flow belongs to Stable Diffusion 3.
model-card = { $path } cannot be used as a model's card: { $reason }.
model-family = The model { $name } needs a family, one of { $offered }. Write it in its table of the configuration.
model-other-family = The model { $name } was to be of family { $given }, and what was found is { $found }.
model-config-needed = { $path } is a single file and holds no tokenizer. Give the model { $name } a config: a diffusers folder of { $family }.
model-not-fetched = The model { $source } is not on this computer: { $reason }. Fetch it beforehand, or allow downloads in the configuration.
model-broken = { $path } could not be loaded: { $reason }.
model-incomplete = { $path } lacks some of its weights. Fetch it again.

## Where pictures go

output-folder-missing = There is no folder { $folder } to put the picture into.
output-folder-unwritable = Nothing can be written into the folder { $folder }.
output-file-unwritable = The file { $file } may not be overwritten.
output-is-folder = { $file } is a folder; name a file in it.
output-not-png = Easel writes PNG files, which keep the settings inside; name the file { $right }.
output-failed = The picture could not be written to { $file }: { $reason }.

## Painting in a terminal

paint-loading = loading the model
paint-step = step { $n } of { $of }
paint-step-left = { $done }, about { $left }
paint-result = { $prompt } · { $steps ->
    [one] { $steps } step
   *[other] { $steps } steps
} · seed { $seed } · { $seconds } s
paint-result-several = { $prompt } · { $count } pictures · { $steps } steps · seeds { $seed } to { $last } · { $seconds } s
paint-no-words = no words
paint-cancelled = Cancelled.
time-seconds = { $seconds } s
time-minutes = { $minutes } min

## Models in a terminal

models-name = name
models-title = title
models-family = family
models-kind = kept as
models-variant = variant
models-prediction = predicts
models-precision = precision
models-megabytes = megabytes
models-size = size
models-steps = steps
models-schedulers = schedulers
models-words = words

## easel doctor

doctor-state-ok = ok
doctor-state-note = note
doctor-state-problem = problem
doctor-python = Python { $version }
doctor-config = The configuration is { $file }.
doctor-no-config = There is no easel.toml here, so everything has its default; config.example.toml shows what can be set.
doctor-library = { $name } { $version }
doctor-library-missing = { $name } is not installed; type: pip install -c requirements.lock -e .
doctor-gpu = GPU: { $name }
doctor-gpu-unused = There is a GPU, but the installed torch is the build for processors; install the CUDA build of the same version to use it.
doctor-gpu-missing = The configuration names the devices { $devices }, but no NVIDIA GPU answers; set [inference] devices to ["auto"] or mend the driver.
doctor-processor = No NVIDIA GPU answers; the processor paints, which is quick with the demo model and slow with large ones.
doctor-model = Model { $name } ({ $family }): { $source }
doctor-models-folder-missing = There is no models folder { $folder }; make it and put models there, and they are found by themselves.
doctor-folder = Pictures can be written into { $folder }.
doctor-next = Next: easel paint "a red circle on a blue background" -o circle.png
doctor-next-mend = Next: mend what is marked as a problem, then type easel doctor again.

## The engine

memory-smaller = Painted at { $width } × { $height } instead of { $asked }: there was not enough memory for more.
memory-spent = { $width } × { $height } does not fit into the memory of this device. A smaller picture will do.
worker-died = The process that paints on { $device } ended in the middle, and a new one has been started. Ask again.
worker-hung = The process that paints on { $device } did nothing for { $seconds } s and has been started anew. Ask again.
worker-garbled = The process that paints said something that makes no sense and has been started anew. Ask again.
worker-start = The process that paints cannot start ({ $kind }); easel doctor may say why.

## Defects

fault-untold = Something went wrong that has no words yet: { $key }.
fault-incident = Something went wrong inside Easel that nobody foresaw. The details are in { $file }.
fault-unexpected = Something went wrong while painting that nobody foresaw. Its incident { $incident } is in the log.
