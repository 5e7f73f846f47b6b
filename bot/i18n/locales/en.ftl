# Every sentence that users and operators see. An error's key is the name of its message, its facts are the variables.
# An error says what is wrong and what to do; no apologies, no exclamation marks.
# GIVEN($fact) is "yes" if a fact is not empty.

## Configuration

config-unknown = { GIVEN($nearest) ->
    [yes] { $key } is not a setting; did you mean { $nearest }?
   *[no] { $key } is not a setting. config.example.toml lists all settings.
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
config-webhook = { $key } with mode = "webhook" also needs webhook_url and webhook_secret.
config-address = { $key } must be an address such as https://example.org/api; it is { $given }.
config-long = { $key } is too long.
config-empty = { $key } must not be empty.
config-time-zone = { $key } must be a time zone such as "Europe/Berlin"; it is { $given }.
config-section = { $key } must be a section with its own keys; it is { $given }.
config-value = { $key } can't be { $given }.
config-file-missing = The file { $file } does not exist.
config-file-unreadable = The file { $file } can't be read: { $reason }.
config-file-broken = { $file } is not valid TOML: { $reason }.
config-store = [store] url is not valid. Write sqlite+aiosqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME (supported: { $offered }).
config-files = [files] url is not valid ({ $reason }). Write a folder such as data/files, or an address such as s3://bucket/easel.

## User input

input-prompt-long = A prompt can have at most { $most } characters; this one has { $given }.
input-prompt-deep = Brackets can be nested at most { $most } deep. Use one pair with a weight instead, such as (word:1.5).
input-size = Write a size like 768x512; you wrote { $given }.
input-strength-alone = Strength only works with a picture to start from. Add a picture, or leave strength out.
input-file-missing = The file { $file } does not exist.
input-file-unreadable = The file { $file } can't be read.
words-unknown = { $count ->
    [one] The model { $model } doesn't know the word { $words }. It knows words such as { $known }.
   *[other] The model { $model } doesn't know the words { $words }. It knows words such as { $known }.
}

## Commands and their parameters

input-command = { GIVEN($nearest) ->
    [yes] There is no command /{ $given }; did you mean /{ $nearest }?
   *[no] There is no command /{ $given }. /help lists all commands.
}
input-parameter = { GIVEN($nearest) ->
    [yes] /{ $command } has no { $given }; did you mean { $nearest }?
   *[no] /{ $command } has no { $given }. /help { $command } lists its options.
}
input-missing = /{ $command } needs a value for { $name }: { $help }.
input-long = { $name } can have at most { $most } characters; yours has { $given }.
input-choice = { $name } must be one of { $offered }; you wrote { $given }.
input-range = { GIVEN($low) ->
    [yes] { GIVEN($high) ->
        [yes] { $name } must be from { $low } to { $high }; you wrote { $given }.
       *[no] { $name } must be at least { $low }; you wrote { $given }.
    }
   *[no] { $name } must be at most { $high }; you wrote { $given }.
}
input-number = { $whole ->
    [yes] { GIVEN($low) ->
        [yes] { $name } must be a whole number from { $low } to { $high }; you wrote { $given }.
       *[no] { $name } must be a whole number; you wrote { $given }.
    }
   *[no] { GIVEN($low) ->
        [yes] { $name } must be a number from { $low } to { $high }; you wrote { $given }.
       *[no] { $name } must be a number; you wrote { $given }.
    }
}
input-yes-no = { $name } must be yes or no; you wrote { $given }.
input-value = { $name } can't be { $given }. Expected: { $help }.
input-shape = Write a shape like 16:9, with neither side more than { $most } times the other; you wrote { $given }.
input-prompt-empty = The prompt is empty. Describe what the picture should show.
input-picture-none = /{ $command } doesn't take a picture. Leave it out, or use /imagine to start from the picture.
input-two-pictures =
    { $most ->
        [one] /{ $command } takes one picture, and there are more. Leave out all but one.
       *[other] /{ $command } takes up to { $most } pictures, and there are more. Leave out the rest.
    }
input-filter = There is no filter { $given }:. The filters are { $offered }. To search for the word itself, leave out the colon.
input-filter-empty = { $name }: needs a value right after the colon, such as { $name }:value.
input-filter-before = before: takes a date such as 2026-11-20, or an age such as 7d or 2w; you wrote { $given }.
input-beginning = A search with a star needs at least { $least } letters before it; you wrote { $given }.
input-compare = Give two different picture ids, separated by a space.
input-twice = { $name } is given twice. Give it once.
input-words = /{ $command } takes no text; you wrote { $given }.
input-picture-unknown = { $given } is neither a link nor the id of one of your pictures. Attach the picture, or copy its id from Info.
input-form-old = That form has expired. Choose the picture again.
input-picture-fetch = The picture couldn't be downloaded. Send it again.
input-picture-gone = The picture to start from has been deleted. Attach it again.
input-image-missing = The prompt contains {"{"}image{"}"}, but there is no picture. Attach one, or write {"{"}image:LINK{"}"}.
input-links-off = Easel doesn't open links here. Attach the picture instead.
input-button = That button is from another version of Easel. Type the command instead.
denied-job = That job doesn't exist, or you don't have access to it.
denied-picture = That picture doesn't exist, or you don't have access to it.
denied-moderators = Only moderators can do that here.
denied-operators = Only the operator of this Easel can do that.
denied-cover = Pictures are hidden behind a spoiler everywhere. The operator set this, and chats can't change it.
denied-form = That form belongs to someone else. Press the button that opened it to get your own.
denied-channel = Easel can't tell who you are while you post as a channel. Post as yourself.
input-person = Unknown user { $given }. Use a name, an id, or platform:id.
input-person-name = { $given } is a display name, which anyone can choose. Use the id instead: { $id }.
input-person-several = Several users are called { $given }. Use an id, or platform:id.
denied-uploads = You have uploaded too many pictures in the last 24 hours: up to { $most } MB are taken. Use a picture that you uploaded before, or try again later.
denied-disk = There is no disk space for new pictures. The operator has to free some.
denied-open = { $most ->
    [one] You can have one unfinished job at a time. Try again when it is done.
   *[other] You can have { $most } unfinished jobs at a time. Try again when one of them is done.
}
denied-credits = { $cost ->
    [one] This costs { $cost } credit, and you have { $left } left. You get { $most } again tomorrow.
   *[other] This costs { $cost } credits, and you have { $left } left. You get { $most } again tomorrow.
}
denied-credits-day = { $cost ->
    [one] This costs { $cost } credit, but your daily limit is { $most }. Use fewer pictures, fewer steps or a smaller size.
   *[other] This costs { $cost } credits, but your daily limit is { $most }. Use fewer pictures, fewer steps or a smaller size.
}
denied-credits-place = { $cost ->
    [one] This costs { $cost } credit, and this chat has { $left } left. It gets { $most } again tomorrow.
   *[other] This costs { $cost } credits, and this chat has { $left } left. It gets { $most } again tomorrow.
}
denied-credits-here = { $cost ->
    [one] This costs { $cost } credit. In this chat each member can use { $most } a day, and you have { $left } left today.
   *[other] This costs { $cost } credits. In this chat each member can use { $most } a day, and you have { $left } left today.
}

## Jobs and their cards

card-starting = starting
card-next = next in queue
card-waiting = { $place } in queue
card-waiting-time = { $place }, about { $time }
card-paused = paused by a moderator
card-cancelled = cancelled
card-failed = Failed.
card-deleted = deleted
button-again = Again
button-cancel = Cancel
button-vary = Vary
button-edit = Edit…
form-edit = Change and paint again
form-branch = Continue from this picture
button-info = Info
button-favourite = Favourite
button-unfavourite = Remove favourite
button-favourites = Favourites
button-branch = Branch…
button-compare = Compare
button-resend = Send again
button-own = Make your own
button-delete = Delete
button-more = More
button-first = Move to front
button-retry = Retry
queue-empty = You have no queued or running jobs.
queue-open = { $count ->
    [one] You have { $count } queued or running job.
   *[other] You have { $count } queued or running jobs.
}
queue-running = painting
cancel-done = Cancelled: { $words }
cancel-late = That job has already ended, so it can't be cancelled.
move-done = Moved: { $words }
move-not = That job can't be moved there: it isn't waiting, or it is there already.
retry-done = Queued again: { $words }
retry-not = That job didn't fail, so there is nothing to retry.
resend-done = Sending again: { $words }
resend-not = That result has arrived or is on its way.
quota-none = You have no credit limit.
quota-some = Your credits. They reset at midnight ({ $zone }).
quota-left = { $left } of { $most } left
fact-today = today
fact-here = you in this chat
fact-place = this whole chat
fact-granted = granted
grant-done = { $extra ->
    [one] { $name } now has { $extra } granted credit.
   *[other] { $name } now has { $extra } granted credits.
}
pause-place = Paused in this chat: { $count ->
    [one] { $count } job
   *[other] { $count } jobs
}, and all new ones.
resume-place = Resumed in this chat: { $count ->
    [one] { $count } job
   *[other] { $count } jobs
}.
pause-person = Paused for { $name }: { $count ->
    [one] { $count } job
   *[other] { $count } jobs
}, and all new ones.
resume-person = Resumed for { $name }: { $count ->
    [one] { $count } job
   *[other] { $count } jobs
}.
delete-done = Deleted: { $words }
favourite-on = { GIVEN($folder) ->
    [yes] Added to favourites, in folder “{ $folder }”: { $words }
   *[no] Added to favourites: { $words }
}
favourite-off = Removed from favourites: { $words }
compare-first = There is no earlier picture to compare with. Give two picture ids.
compare-same = Both were painted with the same settings.
compare-differs = { $first } → { $second }
compare-nothing = not set
compare-caption = seed { $seed } · { $steps } steps · { $model }
history-page = { GIVEN($words) ->
    [yes] { $count ->
        [1] 1 picture matches “{ $words }”.
       *[other] { $first } to { $last } of { $count } pictures matching “{ $words }”.
    }
   *[no] { $count ->
        [1] You have 1 picture.
       *[other] { $first } to { $last } of { $count } pictures.
    }
}
history-next = For more, type /history { $words } --page { $page }
history-none = { GIVEN($words) ->
    [yes] None of your pictures has “{ $words }” in its prompt.
   *[no] You have no pictures yet. Describe one to paint it.
}
history-nothing = No pictures that you can see here match “{ $words }”.
history-end = There is no page { $page }. All { $count } pictures are on earlier pages.
card-compared = { $status }. { $verdict }
device = { $device }, { $dtype }
compared-same = { GIVEN($changes) ->
    [yes] Identical to the original, although { $changes }.
   *[no] Identical to the original.
}
compared-other = { GIVEN($changes) ->
    [yes] Not identical: { $changes }.
   *[no] Not identical, and Easel can't tell why.
}
compared-unknown = The original has no generation record, so the two can't be compared.
compared-asked = { $name } was set differently
compared-model = the model changed
compared-file = the model file { $name } changed
compared-files = { $count ->
    [one] one more model file changed
   *[other] { $count } more model files changed
}
compared-schedule = the scheduler's settings changed
compared-version = { $name } changed from { $before } to { $now }
compared-is-now = { $before } changed to { $now }
compared-compiled = { $now ->
    [1] the model is now compiled
   *[other] the model is no longer compiled
}
compared-memory = one of the two ran short of memory
compared-batch = the batch sizes differed
job-unreadable = This job was saved by another version of Easel and can't be read. Send the prompt again.
job-poison = This job failed { $attempts } times and won't be retried. Try a smaller size or a different prompt.

## Picture details

fact-prompt = prompt
fact-negative = negative
fact-drawn = picked
fact-model = model
fact-size = size
fact-seed = seed
fact-steps = steps
fact-guidance = guidance
fact-scheduler = scheduler
fact-strength = strength
fact-count = pictures
fact-smaller = smaller if the memory runs out
fact-yes = yes
fact-cost = cost
fact-painted = painted
fact-seconds = took
fact-hash = model hash
fact-versions = software
fact-device = device
fact-compared = comparison
fact-id = id
fact-folders = your folders
size = { $width } × { $height }
number = { $amount }
ordinal = { ORDINAL($place) ->
    [one] { $place }st
    [two] { $place }nd
    [few] { $place }rd
   *[other] { $place }th
}
time-moment = { $year }-{ $month }-{ $day } { $time } UTC

## Help and explanation

help-all = Describe a picture, or use one of these commands. /help NAME explains a command.
help-one = { $usage }: { $help }
about-flag = flag
about-needed = required
about-choices = one of { $offered }
about-picture = attach it, or give a link or the id of one of your pictures
about-yes-no = yes or no
about-such = such as { $offered }
about-also = also { $names }
about-default = default { $default }
about-range = { $low } to { $high }
about-least = at least { $low }
about-most = at most { $high }
docs-commands = Commands
docs-commands-intro = Generated from the declarations in bot/commands with python -m bot.commands.reference > docs/commands.md. A line without a command is a prompt for /imagine.
docs-flags = Flags
docs-flags-intro = Everything except the prompt is set with flags, in any order.
docs-prompts = Prompts
docs-prompts-intro = A prompt can have up to { $most } characters; one message can hold up to { $several } prompts.
docs-history = Searching
docs-history-intro = /history takes words and filters in any order. Put a value with spaces in quotes.
docs-write = you write
docs-means = it means
input-preset-none = “none” means “no preset”, so no preset can have that name. Choose another name.
input-preset-name = { $given } can't be the name of a preset. Use one word of up to 32 letters, digits, - and _.
input-preset-unknown = { GIVEN($nearest) ->
    [yes] There is no preset { $given } here; did you mean { $nearest }?
   *[no] There is no preset { $given } here. /preset list shows the presets that you can use.
}
input-preset-locked = The preset { $preset } locks { $name }. Copy it with /preset fork { $preset } to change that.
input-preset-most = The preset { $preset } limits { $name } to { $most }.
input-preset-words = { GIVEN($slots) ->
    [yes] The preset { $preset } takes no prompt of your own, only { $slots }.
   *[no] The preset { $preset } takes no prompt of your own.
}
input-preset-slot = The preset { $preset } needs { $name }. Type /preset use { $preset } { $name }:"…".
input-preset-other = The preset { $name } has changed since this form was opened. Open it again.
button-fill = Fill in…
input-preset-empty = A preset needs a prompt, a negative prompt or a setting.
input-preset-ceiling = { $given } is not a limit. Write limits like steps=30.
input-preset-over = The preset's own { $name } is above its limit of { $most }. Lower the value, or raise the limit.
input-preset-row = { $given } contains something that is not a preset.
input-preset-taken = You already have a preset { $name }. Choose another name.
input-preset-taken-there = A preset named { $name } is already shared there. Copy yours under another name and share the copy.
input-preset-elsewhere = { $name } is already shared in another chat. Unshare it first with /preset share { $name } --off.
input-presets-format = Easel doesn't know this preset file. It reads its own JSON, A1111's styles.csv, Fooocus' JSON and InvokeAI's CSV.
input-presets-large = A preset file can have at most { $most } bytes.
input-presets-many = A preset file can have at most { $most } presets.
input-presets-lines = A preset file can have at most { $most } lines.
input-preset-quote = The row of “{ $given }” has a quotation mark that is never closed; close it, or write two for one inside of a cell.
input-presets-nothing = Attach one preset file, or write its content after /preset import --text.
denied-preset = You have no such preset. /preset list shows the presets that you can use.
preset-kept = Preset “{ $name }” saved.
preset-changed = Preset “{ $name }” changed; this is version { $version }.
preset-forked = Copied to your presets as “{ $name }”, based on one by { $maker }.
preset-shared = Everyone in this chat can use “{ $name }” now.
preset-unshared = Only you can use “{ $name }” now.
preset-shared-everybody = Everyone can use “{ $name }” now.
preset-none = { GIVEN($words) ->
    [yes] No preset has “{ $words }” in its name, tags or prompt.
   *[no] There are no presets yet. /preset save makes one.
}
preset-list = Presets that you can use:
preset-next = For more, type /preset list { $words } --page { $page }
preset-end = There is no page { $page }; the list is shorter than that.
preset-which = Which preset?
preset-which-here = Which preset? These are shared here; type /preset use NAME for any other.
preset-line = { $words } · { $maker } · { $uses ->
    [one] used once
   *[other] used { $uses } times
}
preset-archived = “{ $name }” is archived. /preset save { $name } restores it.
preset-removed = “{ $name }” is archived.
preset-exported = { $count ->
    [one] 1 preset exported.
   *[other] { $count } presets exported.
}
preset-imported = { $count ->
    [one] 1 preset imported
   *[other] { $count } presets imported
}{ $refused ->
    [0] .
   *[other] ; { $refused } couldn't be imported:
}
preset-nameless = no name
preset-shown = { $name }, version { $version }, by { $maker }
preset-after = { $name } by { $maker }
somebody = someone
form-preset = Save as a preset
button-use = Use
button-fork = Copy
button-archive = Archive
button-preset = Save preset…
fact-slots = slots
fact-locked = locked
fact-most = limits
fact-tags = tags
fact-after = based on
fact-revisions = versions
fact-uses = uses
explain-of-preset = { $value } (preset)
input-settled = A saved default no longer works: { $reason } { GIVEN($here) ->
    [yes] A moderator can reset it with /settings --here --without { $name }.
   *[no] Reset it with /settings --without { $name }.
}
fact-preset = preset
input-share = Give a picture or a prompt to share, not both.
input-board-none = This chat has no board yet. /share puts the first item on it.
denied-share = Nothing is shared under that code. Check the code.
share-done = Shared on the board. /use { $code } paints it in any chat.
board-none = The board is empty. /share puts something on it.
board-end = There is no page { $page }; the board is shorter than that.
board-page = { $count ->
    [1] 1 item on the board.
   *[other] { $first } to { $last } of { $count } items on the board.
}
board-line = { $words } · { $maker } · { $votes ->
    [one] 1 like
   *[other] { $votes } likes
} · { $uses ->
    [one] used once
   *[other] used { $uses } times
} · { $code }
board-pinned = 📌
like-done = { $count ->
    [0] No likes now.
    [one] 1 like now.
   *[other] { $count } likes now.
}
report-done = Reported to the moderators.
report-line = { $count ->
    [one] reported once
   *[other] reported { $count } times
}: { $line }
reports = Reported items. /remove CODE takes one off the board, /dismiss CODE keeps it.
reports-none = There are no reports.
report-reasons = { $line } · reasons: { $reasons }
dismiss-done = { $count ->
    [0] That item has no reports.
    [one] 1 report dismissed. The item stays on the board.
   *[other] { $count } reports dismissed. The item stays on the board.
}
pin-done = Pinned to the top of the board.
unpin-done = Unpinned.
remove-done = Removed from the board.
button-like = Like
button-share = Share
rules = The rules for members of this chat:
rules-none = This chat has no rules: no command is disabled, and nothing is limited or hidden.
input-always-open = /{ $name } can't be disabled; everyone can always use it.
denied-closed = /{ $name } is disabled in this chat.
input-place-most = In this chat { $name } can be at most { $most }.
fact-closed = disabled
fact-paints = can still paint with
fact-credits = credits
rules-credits = { $credits } a day for each member
fact-cover = pictures
cover-here = hidden until tapped
cover-everywhere = hidden until tapped, in all chats (set by the operator)
digest-on = The weekly digest is on. Next one: { $next }, if there is anything new.
digest-on-yours = The weekly digest of your groups is on. Next one: { $next }, if there is anything new.
digest-off = The weekly digest is off. Moderators can turn it on with /digest on.
digest-off-yours = The weekly digest of your groups is off. Turn it on with /digest on.
denied-digest = Easel is not a member of this chat, so it can't post a digest here. Invite it, or type /digest on in a direct message to it.
digest-news = { $count ->
    [one] One new item was shared this week.
   *[other] { $count } new items were shared this week.
}
digest-news-since = { $count ->
    [one] One new item was shared since { $since }.
   *[other] { $count } new items were shared since { $since }.
}
digest-best = These { $count } are the most liked and used.
digest-end = /digest off turns this digest off.
button-board = Board
group-code = A moderator of the other group now types /group link { $code } there. The code works once, within an hour.
group-answer = Now type /group link { $code } in the group that made the first code. It works once, within an hour.
group-joined = Both groups share one board now. /group unlink separates them.
group-parted = This chat has its own board again. Existing posts stay on the shared board.
input-group-alone = This chat doesn't share its board with another group.
input-group-code = That code is wrong or has expired. /group link makes a new one.
gallery-title = Gallery
gallery-chat = Chat
gallery-order = Order
gallery-order-new = Newest
gallery-order-used = Most used
gallery-order-liked = Most liked
gallery-pages = Pages
gallery-before = Previous
gallery-none = Nothing has been shared in your groups yet. /share puts something on their boards.
gallery-by = { $maker } · { $votes ->
    [one] 1 like
   *[other] { $votes } likes
} · { $uses ->
    [one] used once
   *[other] used { $uses } times
}
settings-yours = Your defaults, used whenever you don't set a value.
settings-here = Defaults for this chat. Change one with /settings --here --steps 30, reset it with /settings --here --without steps.
settings-kept = Saved.
language-name = English
fact-language = language
form-settings = Your defaults
form-paint = Paint
form-keep = Save
button-settings = Change…
explain-read = This is how Easel reads it. Nothing is painted yet.
explain-refused = This can't be painted: { $reason }
explain-drawn = { $drawn } (random; set --seed to repeat)
explain-weight = { $words } (weight { $weight })
explain-part = { " " }| then |{ " " }
explain-of-you = { $value } (set by you)
explain-of-settings = { $value } (your default)
explain-of-place = { $value } (chat default)
explain-of-model = { $value } (model default)
explain-of-picture = { $value } (from your picture)
explain-seed = random
explain-cost = { $credits ->
    [one] { $credits } credit, about { $time }
   *[other] { $credits } credits, about { $time }
}

## The grammar of prompts

input-prompts-empty = The prompt is empty. Describe what the picture should show.
input-prompts-many = One message can have at most { $most } prompts, separated by ||; this one has { $given }.
input-prompt-choices = Alternatives such as {"{"}red|green{"}"} can be nested at most { $most } deep.
input-prompt-images = A prompt can start from only one picture. Keep only one {"{"}image{"}"}.
input-prompt-lora = { $given } asks for a LoRA, which Easel doesn't support yet. To use it as plain text, write { $plain }.
input-prompt-concept = { $given } asks for a textual inversion, which Easel doesn't support yet. To use it as plain text, write { $plain }.
input-prompt-list = { $given } asks for a wildcard list, which Easel doesn't support yet. To use it as plain text, write { $plain }.
input-prompt-editing = { $given } changes the prompt in the middle of a picture, which Easel doesn't support yet. To use the brackets as plain text, write \[ and \].
input-prompt-alternation = { $given } alternates between words while a picture is made, which Easel doesn't support yet. {"{"}cat|dog{"}"} picks one of them at random.
input-prompt-together = AND between prompts combines them, which Easel doesn't support yet. Write “and”, or { $plain } for the plain word.
input-prompt-share = { $given } weighs parts of a prompt as Midjourney does. Easel writes weights in brackets, as in (cat:1.3); for the plain signs write { $plain }.

## Flags

input-line-long = A message can have at most { $most } characters; this one has { $given }.
input-flag-unknown = { GIVEN($nearest) ->
    [yes] There is no flag --{ $given }; did you mean --{ $nearest }? To use it as plain text, write \--{ $given }.
   *[no] There is no flag --{ $given }. The flags are { $offered }. To use it as plain text, write \--{ $given }.
}
input-flag-twice = --{ $name } is given twice. Give it once.
input-flag-value = --{ $given } needs a value: { $help }.

## Links to pictures

input-link-form = Write a picture link like https://example.com/picture.png, without a user name or special characters.
input-link-unreachable = Easel can't download anything from { $host }. Save the picture and attach it.
input-link-redirects = That link redirects more than { $most } times. Use the direct link to the picture.
input-link-no-picture = That link doesn't lead to a PNG, JPEG or WebP picture. Use the direct link to the picture, or attach it.
input-link-big = The picture behind that link is larger than { $most } megabytes. Use a smaller copy.
input-link-slow = The picture behind that link took longer than { $seconds } s. Save the picture and attach it.

## Source pictures

picture-bytes = The picture has { MILLIONS($given) } MB; the limit is { MILLIONS($most) } MB. Use a smaller copy or a JPEG.
picture-format = That file is not a supported picture. Use { $offered }.
picture-pixels = The picture is { $width } × { $height } pixels; the limit is { MILLIONS($most) } megapixels. Use a smaller copy.
picture-parts = The picture file has more than { $most } parts, far more than usual. Save it again in an image editor.
picture-scans = The JPEG has more than { $most } layers, far more than usual. Save it again in an image editor.
picture-broken = The { $format } file is damaged or incomplete. Save or send it again.

## What a model allows

range-number = { $name } must be from { $low } to { $high }; you wrote { $given }.
range-multiple = { $name } must be a multiple of { $multiple }; you wrote { $given }. The nearest is { $nearest }.
range-pixels = { $width } × { $height } is too large for this model; the limit is { $most } pixels in all.
range-no-steps = { $steps ->
    [one] With { $steps } step, strength { $strength } changes nothing. Use a strength of at least { $least }.
   *[other] With { $steps } steps, strength { $strength } changes nothing. Use a strength of at least { $least }.
}
range-dtype = dtype must be one of { $offered }; it is { $given }.
range-inputs = For { $mode }, the number of { $role } pictures must be { $wanted }; you gave { $given }.
unknown-model = { GIVEN($nearest) ->
    [yes] There is no model { $given }; did you mean { $nearest }?
   *[no] There is no model { $given }. The models are { $offered }.
}
unknown-scheduler = { GIVEN($nearest) ->
    [yes] This model has no scheduler { $given }; did you mean { $nearest }?
   *[no] This model has no scheduler { $given }. Its schedulers are { $offered }.
}
unknown-mode = Easel has no mode for { $given }. Its modes are: { $offered }.
unknown-mode-here = The model { $model } doesn't do { $given }; it needs { $offered }.
unknown-option-here = The model { $model } doesn't take { $name }; leave it out, or choose another model.

## Models that can't be used

model-not-finite = The model { $model } calculated invalid numbers instead of a picture, so nothing was charged. Try another model; the operator can check its file or set dtype to float32.
model-missing = { $path } does not exist or can't be read. Put the model there, or correct the path in the configuration.
model-folder-missing = The models folder { $path } does not exist. Create it, or correct models_dir in the configuration.
model-name = { $path } can't be the name of a model. Names are unique and have up to 80 letters, digits, spaces and . _ + - ( ).
model-outside = { $path } is or contains a link that leads out of the models folder. Move the files in, or set their own path in the configuration.
model-pickled = { $path } contains pickled weights, which can run any code when they are loaded. Use the model's .safetensors file, or convert it elsewhere.
model-unreadable = { $path } is not a readable safetensors file or model configuration. Download it again.
model-timesteps = The scheduler configuration of { $path } names { $given } training steps (num_train_timesteps). A whole number up to { $most } is possible; models usually have 1000.
model-truncated = { $path } is incomplete: it has { $bytes } of { $promised } bytes. Download it again.
model-pointer = { $path } is a Git LFS pointer, not the weights. Download the file with git lfs pull or from its web page.
model-unfamiliar = { $path } is not a Stable Diffusion 1, 2, XL or 3 model. LoRAs, ControlNets and parts of a model can't be used as models.
model-refiner = { $path } is an SDXL refiner, which can't paint on its own. Use an SDXL base model.
model-mode = { $path } takes { $channels } input channels, as models for editing by instruction or by depth do. Use the plain model of the same family.
model-ema-names = { $path } contains only EMA weights under their training names. Use the EMA-only file that its publisher provides for inference.
model-not-folder = { $path } is a folder without model_index.json. Use the folder of a complete diffusers model, or a .safetensors file.
model-part-missing = { $path } lacks the part { $part }. Download the model again, or set config to a folder that has this part.
model-variant = { $path } has parts of different variants. Download all parts of one variant: plain, fp16 or bf16.
model-class = { $path } needs { $given } as its { $part }, which Easel doesn't support. Use a standard Stable Diffusion 1, 2, XL or 3 model.
model-prediction = { $path } asks for the prediction “{ $given }”, which its family doesn't support. Supported are { $offered }; flow works only with Stable Diffusion 3.
model-card = { $path } is not a valid model card: { $reason }.
model-family = The model { $name } needs a family, one of { $offered }. Set it in the model's table in the configuration.
model-other-family = The model { $name } is configured as family { $given }, but its files are { $found }. Correct the family in the configuration.
model-config-needed = { $path } is a single file without a tokenizer. Set config for the model { $name } to a diffusers folder of { $family }.
model-not-fetched = The model { $source } is not on this computer: { $reason }. Download it first, or allow downloads in the configuration.
model-broken = { $path } can't be loaded: { $reason }.
model-incomplete = { $path } lacks some of its weights. Download it again.

## Where pictures go

output-folder-missing = The folder { $folder } for the picture does not exist. Create it, or choose another.
output-folder-unwritable = The folder { $folder } is not writable. Choose another, or change its permissions.
output-file-unwritable = The file { $file } can't be overwritten. Choose another name.
output-is-folder = { $file } is a folder. Give the name of a file in it.
output-not-png = Easel writes PNG files, which contain the settings. Name the file { $right }.
output-unkept = The picture couldn't be saved: { $reason }.
output-file-failed = { $file } couldn't be written: { $reason }.
output-failed = The picture couldn't be written to { $file }: { $reason }.

## Painting in a terminal

paint-loading = loading the model
paint-step = step { $n } of { $of }
paint-step-left = { $done }, about { $left }
paint-result = { $prompt } · { $steps ->
    [one] { $steps } step
   *[other] { $steps } steps
} · seed { $seed } · { $seconds } s
paint-result-several = { $prompt } · { $count } pictures · { $steps ->
    [one] { $steps } step
   *[other] { $steps } steps
} · seeds { $seed } to { $last } · { $seconds } s
paint-no-words = no prompt
paint-cancelled = Cancelled.
paint-left = Another Easel process has taken over this picture. easel run paints it and writes its file.
time-seconds = { $seconds } s
time-minutes = { $minutes } min
time-hours = { $hours } h

## Running and access

input-token-name = A token needs a name: the name of its user.
input-one-prompt = easel paint takes one prompt. Run it once for each.
person-none = There are no users yet.
person-set = { $name }: role { $role }, tier { $tier }.
run-ending = { $count ->
    [one] Finishing one picture. Press Ctrl-C again to stop at once.
   *[other] Finishing { $count } pictures. Press Ctrl-C again to stop at once.
}
run-web = The chat page is at { $address }
token-revoked = { $count ->
    [0] { $name } has no tokens.
    [one] 1 token of { $name } revoked.
   *[other] { $count } tokens of { $name } revoked.
}

## Personal data

export-done = { $file } contains all data of { $name }: { $jobs ->
    [one] { $jobs } job
   *[other] { $jobs } jobs
}, { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}.
forget-ask = Permanently delete all data of { $name }, including { $jobs ->
    [one] { $jobs } job
   *[other] { $jobs } jobs
} and { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}?
forget-done = Deleted all data of { $name }, including { $jobs ->
    [one] { $jobs } job
   *[other] { $jobs } jobs
} and { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}.
forget-not = Nothing was deleted.
forget-none = No deleted users were found.
input-forget-whom = Give the user to forget, or use --again alone after restoring a backup.
input-forget-yes = There is no terminal to confirm in. Add --yes to delete without a question.
audit-none = The audit log is empty.
link-code = On the other platform, type /link { $code } within { $minutes } minutes; it works once. Then press Check here. Nothing is linked until you confirm.
link-waits = The code has not been entered yet.
link-typed = Request sent. Go back to where you got the code, press Check and confirm. Then your accounts share history, presets, settings and one credit limit.
link-asks = { GIVEN($role) ->
    [yes] Is this your other account? Linking merges history, presets and settings, and shares your role as { $role }. If it isn't yours, press No.
   *[no] Is this your other account? Linking merges history, presets and settings. If it isn't yours, press No.
}
link-nameless = no name
link-joined = Your accounts are linked: { $platforms }.
link-refused = Accounts were not linked. The code is no longer valid.
input-link-code = That code is wrong or has expired. /link makes a new one.
denied-link = No pending link request. Use /link to get a new code.
unlink-done = Your { $gone } account is now separate. History and presets stay with { $left }. Today's credit use counts for both.
input-unlink = You have no linked account on { $given }. Your accounts: { $offered }.
denied-unlink = This is your only linked account, so there is nothing to unlink.
denied-person-new = Your account was linked or unlinked just now. Send that again.
me-export = Everything that is stored about you: { $jobs ->
    [one] { $jobs } job
   *[other] { $jobs } jobs
}, { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}.
me-export-rows = Everything that is stored about you except the picture files, which are too large together: { $jobs ->
    [one] { $jobs } job
   *[other] { $jobs } jobs
}, { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}. Ask the operator for a full copy, made with easel export.
denied-export = Your data is too large for a message. Ask the operator for a copy, made with easel export.
me-forget-ask = Permanently delete all your data on { $platforms }, including { $jobs ->
    [one] { $jobs } job
   *[other] { $jobs } jobs
} and { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}? This can't be undone. Messages in chats stay until you delete them.
me-forgotten = All your data is deleted, including { $jobs ->
    [one] { $jobs } job
   *[other] { $jobs } jobs
} and { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}. If you write again, you start as a new user.
denied-forget = That question was for someone else. /me forget asks you.
input-forget-late = That question has expired. Type /me forget again.
button-check = Check
button-join = Link accounts
button-join-no = No
button-forget = Delete my data
fact-name = name

## Models in a terminal

models-name = name
models-title = title
models-family = family
models-kind = format
models-variant = variant
models-prediction = prediction
models-precision = precision
models-megabytes = megabytes
models-size = size
models-steps = steps
models-schedulers = schedulers
models-options = options
models-words = words

## easel doctor

doctor-state-ok = ok
doctor-state-note = note
doctor-state-problem = problem
doctor-python = Python { $version }
doctor-config = The configuration is { $file }.
doctor-no-config = There is no easel.toml here, so every setting has its default. config.example.toml lists all settings.
doctor-library = { $name } { $version }
doctor-library-missing = { $name } is not installed. Run: pip install -c requirements.lock -e .
doctor-gpu = GPU: { $name }
doctor-gpu-unused = There is a GPU, but the installed torch is the CPU build. To use the GPU, run: python -m pip install --force-reinstall torch=={ $version } --index-url https://download.pytorch.org/whl/cu130
doctor-gpu-missing = The configuration lists the devices { $devices }, but no NVIDIA GPU was found. Set [inference] devices to ["auto"], or fix the driver.
doctor-processor = No NVIDIA GPU was found, so Easel paints on the CPU: fast with the demo model, slow with large models.
doctor-model = Model { $name } ({ $family }): { $source }
doctor-model-refused = The model { $name } in the configuration can't be used. { $reason }
doctor-models-folder-missing = There is no { $folder } folder yet. Create it and put models in; Easel finds them.
doctor-store = The database { $store } is up to date.
doctor-store-blank = The database { $store } will be created at the first start.
doctor-page = The chat page will be at { $address }
doctor-page-login = The chat page will be at { $address } and ask for a token. Create one with: easel token create NAME
doctor-folder = Pictures can be written to { $folder }.
doctor-next = Next: easel run
doctor-next-mend = Next: fix the problems above, then run easel doctor again.

## The engine

memory-smaller = Painted at { $width } × { $height } instead of { $asked }: there was not enough memory for more.
memory-spent = { $width } × { $height } doesn't fit into this device's memory. Use a smaller size.
worker-died = The image worker on { $device } stopped unexpectedly and was restarted. Try again.
worker-hung = The image worker on { $device } did not respond for { $seconds } s and was restarted. Try again.
worker-garbled = The image worker returned an invalid response and was restarted. Try again.
worker-start = The image worker can't start ({ $kind }). easel doctor may show why.

## The web adapter

config-port = Port { $port } on { $host } is in use by another program. Set another port in [web], or stop that program.
config-listen = The chat page can't listen on { $host }, port { $port }: { $reason }. Correct host and port in [web].
config-public-url = [web] public_url must be an address such as https://easel.example; it is { $given }.
web-host = This server does not answer to the name { $host }. The operator can set [web] public_url to the address that people use.
web-origin = That came from a page of another site. Use Easel's own page.
web-large = A picture can have up to { $most } MB and a message up to { $line } characters; this was more.
web-busy = Easel is receiving many pictures right now. Try again in a few seconds.
web-slow = The connection is too slow: what you sent did not arrive in time. Send a smaller picture.
web-form = The form was incomplete. Send it again.
web-login = You are not logged in. Log in with your token.
web-reload = This page is out of date. Reload it.
web-metrics = Metrics need a token: send the header Authorization: Bearer TOKEN.
web-tries = Too many wrong tokens. Wait a minute and try again.
web-token = That token doesn't work. Ask the operator for a new one.
web-file = That picture doesn't exist, or you don't have access to it.
web-nothing = There is nothing at this address.
fault-web = Something went wrong. The operator can find it in the log under { $incident }.
example-1 = a large red circle on a blue background
example-2 = a yellow boat by the sea at sunset
example-3 = a yellow star above a purple heart on a white background
input-line-empty = The message is empty. Describe a picture, or type a command such as /help.

## Defects

fault-untold = Something went wrong ({ $key }).
fault-incident = Something went wrong inside Easel. The details are in { $file }.
fault-unexpected = Something went wrong while painting. The operator can find it in the log under { $incident }.

## The web chat

page-name = Easel
page-skip = Skip to the message box
page-conversation = Conversation
page-panel = Queue and history
page-queue = Queue
page-queue-empty = No queued jobs.
page-history = History
page-search = Search your pictures
page-noscript = This page needs JavaScript. The command line works without it.
page-said = Weekly digest
page-earlier = Show earlier
page-latest = Jump to latest
page-empty = What would you like to see?
page-empty-how = Describe it in your own words. A line that starts with / is a command, and -- sets a value.
page-line = Message
page-placeholder = Describe a picture
page-form = Settings
page-attach = Add picture
page-attach-file = Add file
page-detach = Remove
page-send = Send
page-offers = Suggestions
page-offered = Suggestions: { $count }
page-close = Close
page-viewer = Picture
page-download = Download
page-before = Previous
page-after = Next
page-picture-at = { $n } of { $of }
page-cover = Hidden picture: tap to show
page-cover-short = Hidden
page-cover-again = Hide again
page-sending = sending
page-kept = saved, will be sent when you are online
page-edit = Edit
page-discard = Discard
page-delete-ask = Delete permanently?
page-delete-yes = Delete permanently
page-delete-no = Keep
page-progress = Progress
page-offline = You are offline. Messages are saved and sent later.
page-press-away = You are offline. Press it again when you are back online.
page-logged-out = You are logged out. Log in again to continue.
page-broken = The answer couldn't be read. Send it again.
page-picture-role = Source
page-picture-kept = kept unless you choose another
page-picture-large = The picture has { $given } MB; the limit is { $most } MB. Use a smaller copy or a JPEG.
page-picture-kind = Pictures must be PNG, JPEG or WebP files.
page-file-kind = Preset files must end in .json or .csv.
page-range = { $low } to { $high }
page-drop = Drop the picture to start from it
page-drop-file = Drop the file to import it
page-yes = yes
page-no = no
page-login = Log in
page-login-title = Log in
page-login-how = Ask the operator of this Easel for a token. They make one with: easel token create NAME
page-login-token = Token
page-logout = Log out
page-back = Back to the chat

## The database

db-away = The database does not answer right now, so nothing was changed. Try again in a minute.
db-full = The disk of the database is full, so nothing was changed. Tell the operator.
db-gone = The file of the database was deleted while Easel was running, so nothing more is accepted. The operator has to restore it and start Easel again.
db-folder = The folder { $folder } for the database can't be created: { $reason }.
db-unusable = The database { $database } can't be used: { $reason }.
db-behind = The database is at the older revision { $current }. Make a backup, then run easel db upgrade to bring it to { $head }.
db-ahead = The database is at revision { $current }, which is newer than this Easel ({ $head }). Update Easel, or use another database.
db-current = { $database } is up to date, at revision { $current }.
db-blank = { $database } has no tables yet. Easel creates them at its first start, or run easel db upgrade.
db-differs = { $database } has the right revision, but its tables differ from it: { $where }. Restore a backup, or repair the tables by hand.
db-moved = { GIVEN($after) ->
    [yes] { GIVEN($before) ->
        [yes] { $database } went from revision { $before } to { $after }.
       *[no] { $database } now has its tables, at revision { $after }.
    }
   *[no] { $database } no longer has any tables.
}
db-stayed = { GIVEN($after) ->
    [yes] { $database } is already at revision { $after }.
   *[no] { $database } has no tables; nothing changed.
}
db-foreign = The database has tables with Easel's names that Easel did not create. Use a separate or an empty database.
input-revision = There is no way to revision { $given }. The revisions are { $offered }.

## Telegram

run-telegram = Connecting to Telegram: { $address }
telegram-start = I am { $name }. I paint pictures from your descriptions.
telegram-start-words = Write what you want to see, such as: a red circle on a blue background.
telegram-start-picture = To start from a picture, send it with a caption, or reply to it with a description. /help shows more.
telegram-help-start = Show how Easel works
telegram-ask = /{ $command } needs: { $help }
telegram-picture = Reply to your picture and describe what to make of it.
telegram-edited = That message is already being painted as it was. To change it, press Edit… below its picture.
telegram-channel = Easel can't take jobs in a channel. Ask in a group or in a private chat.
telegram-private = The answer is private, but Easel may not write to you yet. Open the chat and press Start.
telegram-open = Open the chat
telegram-sent-privately = Sent to you privately.
telegram-gone = That message is too old; its buttons no longer work.
telegram-done = Done.
telegram-nobody = The answer is private, but you are posting anonymously. Open the chat and ask there.
telegram-refused = Telegram rejected the result. You can find it in /history.
telegram-unsaid = Telegram rejected the answer. Try again in a minute.
telegram-link = This link asks Easel to run: { $line }
telegram-closed = Easel couldn't post this in the chat where you asked for it.
telegram-no-photo = Telegram can't show a picture of this size. You can find it in /history.
telegram-unsure = The pictures may not have arrived: { $words }. If they haven't, press the button.
telegram-broke = Something went wrong inside Easel. The operator can find it in the log under { $code }.
telegram-form-answer = Press what you want to change, or reply to this message with a new prompt.
telegram-form-words = Reply to the message with the { $name }. To set any other field, write --name value.
telegram-form-long = These settings are too long to change in Telegram. Copy the prompt and send it as a new message.
telegram-inline-preset = Paint with { $name }
telegram-inline-none = No pictures yet: open the chat
telegram-inline-covered = Pictures are hidden: open the chat
button-original = Original
doctor-telegram = Telegram: this is { $name }, at { $link }
doctor-telegram-privacy = Privacy mode is off: Telegram sends the bot every message in its groups, although it needs only commands. Turn it on with /setprivacy in BotFather.
doctor-telegram-webhook = Telegram sends updates to a webhook at another address. With mode = "polling", Easel removes that webhook when it starts.
doctor-telegram-refused = Telegram rejected the token. Copy it again from BotFather into [telegram] token.
doctor-telegram-away = Telegram can't be reached at { $address }: { $reason }. Check [telegram] api_base and this computer's network.

## Discord

run-discord = Connecting to Discord: { $address }
discord-age = Painting works only in age-restricted channels here. You can also use /imagine in a direct message.
discord-broke = Something went wrong inside Easel. The operator can find it in the log under { $code }.
discord-done = Done.
discord-more = { $count ->
    [one] one more is in /history
   *[other] { $count } more are in /history
}
discord-pick = { $label }…
discord-below = The picture will come in a separate message.
discord-too-large = Discord can't show a picture of this size here. You can find it in /history.
discord-closed = Easel couldn't post this in the channel where you asked for it.
discord-range = { $low } to { $high }
discord-unsure = Your picture may not have arrived: { $words }. If it hasn't, press the button.
discord-private = The answer is a direct message, but you don't accept direct messages from Easel. Allow them and try again.
discord-no-answer = Easel can't post in the channel where you asked for a picture. Ask a moderator to allow it, or ask here.
discord-menu-source = Use as source
discord-menu-info = Info
discord-menu-again = Again
discord-menu-none = That message has no picture from Easel.
discord-menu-no-picture = That message has no picture.
doctor-discord = Discord: this is { $name }. Invite it with { $invite }
doctor-discord-refused = Discord rejected the token. Copy it again from the Bot page of the developer portal into [discord] token.
doctor-discord-away = Discord can't be reached at { $address }: { $reason }. Check [discord] api_base and this computer's network.
doctor-discord-elsewhere = Discord sends interactions to an Interactions Endpoint URL instead of Easel. Clear that field in the developer portal.
