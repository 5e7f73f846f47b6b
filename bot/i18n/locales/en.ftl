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
config-webhook = { $key } with mode = "webhook" needs webhook_url and webhook_secret too.
config-address = { $key } must be an address such as https://example.org/api; it is { $given }.
config-long = { $key } is too long.
config-empty = { $key } must not be empty.
config-time-zone = { $key } must be a time zone such as "Europe/Berlin"; it is { $given }.
config-section = { $key } must be a section with keys of its own; it is { $given }.
config-value = { $key } cannot be { $given }.
config-file-missing = There is no file { $file }.
config-file-unreadable = The file { $file } cannot be read: { $reason }.
config-file-broken = { $file } is not valid TOML: { $reason }.
config-store = [store] url cannot be used; write sqlite+aiosqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME (known are { $offered }).
config-files = [files] url cannot be used ({ $reason }); write a folder such as data/files, or an address such as s3://bucket/easel.

## What people type and attach

input-prompt-long = A prompt has at most { $most } characters; this one has { $given }.
input-prompt-deep = Brackets go at most { $most } deep; put the weight into one pair, such as (word:1.5).
input-size = A size is written like 768x512; you wrote { $given }.
input-strength-alone = Strength says how much of a picture is painted anew, so it needs a picture: add one, or leave strength out.
input-file-missing = There is no file { $file }.
input-file-unreadable = The file { $file } cannot be read.
words-unknown = { $count ->
    [one] The model { $model } was not taught the word { $words }; it knows words such as { $known }.
   *[other] The model { $model } was not taught the words { $words }; it knows words such as { $known }.
}

## Commands and their parameters

input-command = { GIVEN($nearest) ->
    [yes] There is no command /{ $given }; did you mean /{ $nearest }?
   *[no] There is no command /{ $given }; /help lists them all.
}
input-parameter = { GIVEN($nearest) ->
    [yes] /{ $command } has no { $given }; did you mean { $nearest }?
   *[no] /{ $command } has no { $given }; /help { $command } lists what it has.
}
input-missing = /{ $command } needs its { $name }: { $help }.
input-long = { $name } has at most { $most } characters; this one has { $given }.
input-choice = { $name } is one of { $offered }; you wrote { $given }.
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
input-yes-no = { $name } is yes or no; you wrote { $given }.
input-value = { $name } cannot be { $given }: { $help }.
input-shape = A shape is written like 16:9 and is at most { $most } times as wide as it is high, or the other way; you wrote { $given }.
input-prompt-empty = There are no words to paint; write what the picture shows.
input-picture-none = /{ $command } takes no picture; send it without one, or start from the picture with /imagine.
input-two-pictures = One request starts from one picture, and there are two; leave one out.
input-filter = There is no filter { $given }:; there are { $offered }. To look for the words themselves leave out the colon.
input-filter-empty = { $name }: has nothing behind it; write it without a blank, such as { $name }:value.
input-filter-before = before: takes a day such as 2026-11-20, or how long ago, such as 7d or 2w; you wrote { $given }.
input-beginning = The beginning of a word needs at least { $least } letters before the star; you wrote { $given }.
input-compare = Two different pictures can be compared; name them by their ids, with a blank between.
input-twice = { $name } is given twice; leave one of them.
input-words = /{ $command } takes no words; you wrote { $given }.
input-picture-unknown = { $given } is neither a link nor the id of a picture of yours. Attach the picture, or copy the id from its Info.
input-form-old = That form was open for too long; choose the picture once more.
input-picture-fetch = The picture did not arrive; send it once more.
input-picture-gone = The picture to start from has been deleted; attach it again.
input-image-missing = The prompt has {"{"}image{"}"} in it, and no picture came along; attach one, or write {"{"}image:LINK{"}"}.
input-links-off = Links to pictures are not followed here; attach the picture itself.
input-button = That button is from another version of Easel; typing the command works.
denied-job = There is no such request of yours.
denied-picture = There is no such picture of yours.
denied-moderators = That is for those who look after this place.
denied-operators = That is for those who run Easel.
denied-cover = Pictures are covered everywhere: that is settled by those who run Easel, and no place takes it back.
denied-form = That form is somebody else's; press the button that showed it to get one of your own.
denied-channel = Whoever speaks as a channel is not known; ask as yourself.
input-person = { $given } is nobody that Easel knows; write a name, an id, or platform:id.
input-person-name = { $given } is a name, and names are chosen freely; write the id instead, which is { $id }.
input-person-several = Several people are called { $given }; write an id, or platform:id.
denied-disk = There is no room for new pictures at the moment; the operator has to free some.
denied-open = { $most ->
    [one] One request of yours can be open at a time; ask again when it is done.
   *[other] { $most } requests of yours can be open at a time; ask again when one of them is done.
}
denied-credits = { $cost ->
    [one] This costs { $cost } credit, and you have { $left } left; { $most } are yours again tomorrow.
   *[other] This costs { $cost } credits, and you have { $left } left; { $most } are yours again tomorrow.
}
denied-credits-day = { $cost ->
    [one] This costs { $cost } credit, and a day has { $most }; fewer pictures, fewer steps or a smaller size cost less.
   *[other] This costs { $cost } credits, and a day has { $most }; fewer pictures, fewer steps or a smaller size cost less.
}
denied-credits-place = { $cost ->
    [one] This costs { $cost } credit, and { $left } are left here; { $most } are there again tomorrow.
   *[other] This costs { $cost } credits, and { $left } are left here; { $most } are there again tomorrow.
}
denied-credits-here = { $cost ->
    [one] This costs { $cost } credit. In this place everybody may use { $most } a day, and you have { $left } left here today.
   *[other] This costs { $cost } credits. In this place everybody may use { $most } a day, and you have { $left } left here today.
}

## Jobs and their cards

card-starting = about to begin
card-next = next in line
card-waiting = { $place } in line
card-waiting-time = { $place }, about { $time }
card-paused = held back by a moderator
card-cancelled = cancelled
card-failed = It did not work out.
card-deleted = deleted
button-again = Again
button-cancel = Cancel
button-vary = Vary
button-edit = Edit…
form-edit = Change it and paint again
form-branch = Paint on from this picture
button-info = Info
button-favourite = Favourite
button-unfavourite = No favourite
button-favourites = Favourites
button-branch = Branch…
button-compare = Compare
button-resend = Send it again
button-own = Make your own
button-delete = Delete
button-more = More
button-first = First
button-retry = Try again
queue-empty = Nothing of yours is waiting.
queue-open = { $count ->
    [one] { $count } request of yours is open.
   *[other] { $count } requests of yours are open.
}
queue-running = being painted
cancel-done = Cancelled: { $words }
cancel-late = That one has already ended, so there is nothing left to cancel.
move-done = Moved: { $words }
move-not = That one cannot be moved there: it does not wait, or it is there already.
retry-done = In line again: { $words }
retry-not = That one did not fail, so there is nothing to try again.
resend-done = Being sent again: { $words }
resend-not = That one has arrived, or is on its way.
quota-none = There is no limit on what you paint.
quota-some = Your credits; a new day begins at midnight ({ $zone }).
quota-left = { $left } of { $most } left
fact-today = today
fact-here = you, here
fact-place = here, together
fact-granted = granted
grant-done = { $extra ->
    [one] { $name } has { $extra } granted credit now.
   *[other] { $name } has { $extra } granted credits now.
}
pause-place = Held back here: { $count ->
    [one] { $count } request
   *[other] { $count } requests
}, and all new ones.
resume-place = Going on here: { $count ->
    [one] { $count } request
   *[other] { $count } requests
}.
pause-person = Held back for { $name }: { $count ->
    [one] { $count } request
   *[other] { $count } requests
}, and all new ones.
resume-person = Going on for { $name }: { $count ->
    [one] { $count } request
   *[other] { $count } requests
}.
delete-done = Deleted: { $words }
favourite-on = { GIVEN($folder) ->
    [yes] Marked, in “{ $folder }”: { $words }
   *[no] Marked: { $words }
}
favourite-off = No longer marked: { $words }
compare-first = Nothing was painted before this one that it could be compared with; name two pictures by their ids.
compare-same = Both were painted in the same way.
compare-differs = { $first } → { $second }
compare-nothing = nothing
compare-caption = seed { $seed } · { $steps } steps · { $model }
history-page = { GIVEN($words) ->
    [yes] { $first } to { $last } of { $count } with “{ $words }”.
   *[no] { $first } to { $last } of { $count }.
}
history-next = For more, write /history { $words } --page { $page }
history-none = { GIVEN($words) ->
    [yes] No picture of yours has “{ $words }” in its prompt.
   *[no] You have no pictures yet; write what you would like to see.
}
history-nothing = No picture that you may see here fits “{ $words }”.
history-end = There is no page { $page }; there are pictures on earlier pages, { $count } in all.
card-compared = { $status }. { $verdict }
device = { $device }, { $dtype }
compared-same = { GIVEN($changes) ->
    [yes] Identical to the first, though { $changes }.
   *[no] Identical to the first.
}
compared-other = { GIVEN($changes) ->
    [yes] Not the same: { $changes }.
   *[no] Not the same as the first, and nothing that is known of the two says why.
}
compared-unknown = Nothing was noted of how the first was painted, so the two cannot be compared.
compared-asked = { $name } was asked for in another way
compared-model = the model changed
compared-file = the model file { $name } changed
compared-files = { $count ->
    [one] one more of its files changed
   *[other] { $count } more of its files changed
}
compared-schedule = the scheduler’s settings changed
compared-version = { $name } { $before } is now { $now }
compared-is-now = { $before } is now { $now }
compared-compiled = { $now ->
    [1] the model is compiled now
   *[other] the model is not compiled any more
}
compared-memory = memory ran short for one of the two
compared-batch = it was painted in batches of other sizes
job-unreadable = This request was kept by another version of Easel and cannot be read; type it again.
job-poison = This request was begun { $attempts } times and came to no end, so it is not tried again. A smaller picture or other words may do.

## What is known of a picture

fact-prompt = prompt
fact-negative = without
fact-drawn = drawn
fact-model = model
fact-size = size
fact-seed = seed
fact-steps = steps
fact-guidance = guidance
fact-scheduler = scheduler
fact-strength = strength
fact-count = pictures
fact-cost = costs
fact-painted = painted
fact-seconds = took
fact-hash = model hash
fact-versions = painted by
fact-device = on
fact-compared = compared
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

help-all = Write what you would like to see, or one of these. /help and a name tells all about one.
help-one = { $usage }: { $help }
about-flag = flag
about-needed = needed
about-choices = one of { $offered }
about-picture = attached, a link, or the id of a picture of yours
about-yes-no = yes or no
about-such = there are { $offered }
about-also = also { $names }
about-default = { $default } when left out
about-range = { $low } to { $high }
about-least = at least { $low }
about-most = at most { $high }
docs-commands = Commands
docs-commands-intro = Made from the declarations in bot/commands by python -m bot.commands.reference > docs/commands.md; a line without a command is a prompt for /imagine.
docs-flags = Flags
docs-flags-intro = Everything but the words themselves is said by flags, in any order.
docs-prompts = Prompts
docs-prompts-intro = A prompt has up to { $most } characters; one request holds up to { $several } of them.
docs-history = Searching
docs-history-intro = /history takes words and filters in any order; a value with blanks stands in quotes.
docs-write = you write
docs-means = it means
input-preset-none = “none” means without a preset; no preset can be called that.
input-preset-name = { $given } cannot be a preset’s name; a name is one word of letters, digits, - and _, up to 32.
input-preset-unknown = { GIVEN($nearest) ->
    [yes] There is no preset { $given } here; did you mean { $nearest }?
   *[no] There is no preset { $given } here.
}
input-preset-locked = { $preset } keeps its own { $name }; take a copy with /preset fork { $preset } to change it.
input-preset-most = { $preset } allows { $name } up to { $most }.
input-preset-words = { GIVEN($slots) ->
    [yes] { $preset } takes no words of yours, only { $slots }.
   *[no] { $preset } takes no words of yours.
}
input-preset-slot = { $preset } needs { $name }; write /preset use { $preset } { $name }:"…".
input-preset-other = { $name } has changed since that was asked; ask for it once more.
button-fill = Fill in…
input-preset-empty = A preset needs a prompt, a negative prompt or a setting.
input-preset-ceiling = { $given } is no ceiling; write steps=30.
input-preset-over = { $name } has a ceiling of { $most } here, and its own value is above that.
input-preset-row = { $given } holds something that is no preset.
input-preset-taken = You have a preset { $name } already; choose another name.
input-preset-taken-there = There is a preset { $name } there already; take a copy of yours under another name and share that.
input-preset-elsewhere = { $name } stands elsewhere already; /preset share { $name } --off takes it back from there.
input-presets-format = This is no file of presets that Easel knows: its own JSON, A1111’s styles.csv, Fooocus’ JSON or InvokeAI’s CSV.
input-presets-large = A file of presets has at most { $most } bytes.
input-presets-many = A file holds at most { $most } presets.
input-presets-nothing = Attach one file of presets, or write its content after /preset import --text.
denied-preset = There is no such preset of yours.
preset-kept = { $name } is kept.
preset-changed = { $name } is changed; this is version { $version }.
preset-forked = { $name } is yours now, after { $maker }.
preset-shared = { $name } is there for everybody in this place.
preset-unshared = { $name } is yours alone again.
preset-shared-everybody = { $name } is there for everybody.
preset-none = { GIVEN($words) ->
    [yes] No preset has “{ $words }” in its name, its tags or its prompt.
   *[no] There are no presets yet; /preset save keeps one.
}
preset-list = What you can paint with:
preset-next = For more, write /preset list { $words } --page { $page }
preset-end = There is no page { $page }; the list ends before it.
preset-which = Which preset?
preset-which-here = Which preset? Offered are those that everybody here sees; any other you can name: /preset use NAME.
preset-line = { $words } · { $maker } · { $uses ->
    [one] used once
   *[other] used { $uses } times
}
preset-archived = { $name } is in no list any more; /preset save { $name } brings it back.
preset-removed = { $name } is in no list any more.
preset-exported = { $count ->
    [one] One preset.
   *[other] { $count } presets.
}
preset-imported = { $count ->
    [one] One preset came in
   *[other] { $count } presets came in
}{ $refused ->
    [0] .
   *[other] ; { $refused } could not be taken:
}
preset-nameless = without a name
preset-shown = { $name }, version { $version }, by { $maker }
preset-after = { $name } by { $maker }
somebody = somebody
form-preset = Keep as a preset
button-use = Use
button-fork = Copy
button-archive = Archive
button-preset = Save preset…
fact-slots = slots
fact-locked = fixed
fact-most = at most
fact-tags = tags
fact-after = after
fact-revisions = versions
fact-uses = used
explain-of-preset = { $value }, from the preset
input-settled = That is settled and does not fit any more: { $reason } { GIVEN($here) ->
    [yes] Whoever looks after this place takes it back with /settings --here --without { $name }.
   *[no] /settings --without { $name } takes it back.
}
fact-preset = preset
input-share = Say which picture or which prompt to share, one of the two.
input-board-none = There is no board here yet; /share puts something on it.
denied-share = Nothing is shared under this code.
share-done = It is on the board. /use { $code } brings it to any other chat.
board-none = Nothing is on the board here yet; /share puts something on it.
board-end = There is no page { $page }; what is on the board ends before it.
board-page = { $first } to { $last } of { $count } on the board.
board-line = { $words } · { $maker } · { $votes ->
    [one] 1 like
   *[other] { $votes } likes
} · { $uses ->
    [one] used once
   *[other] used { $uses } times
} · { $code }
board-pinned = 📌
like-done = { $count ->
    [0] Nobody likes it now.
    [one] One person likes it.
   *[other] { $count } people like it.
}
report-done = Those who look after its board will see it.
report-line = { $count ->
    [one] reported once
   *[other] reported { $count } times
}: { $line }
reports = What was reported; /remove CODE takes it off the board, /dismiss CODE lets it stay.
reports-none = Nothing was reported.
report-reasons = { $line } · because: { $reasons }
dismiss-done = { $count ->
    [0] It was not reported.
    [one] It stays on the board; its one report is forgotten.
   *[other] It stays on the board; its { $count } reports are forgotten.
}
pin-done = It stays on top of the board.
unpin-done = It stands among the others again.
remove-done = It is off the board.
button-like = Like
button-share = Share
rules = This holds for members in this place.
rules-none = Nothing is closed, limited or covered in this place.
input-always-open = { $name } is open to everybody, everywhere.
denied-closed = /{ $name } is closed in this place.
input-place-most = In this place { $name } can be up to { $most }.
fact-closed = closed
fact-paints = still open for painting
fact-credits = credits
rules-credits = { $credits } a day for each member
fact-cover = pictures
cover-here = covered until somebody presses on them
cover-everywhere = covered until somebody presses on them, everywhere; that is settled by those who run Easel
digest-on = What is new on the board is told here once a week; next on { $next }, if there is something.
digest-on-yours = What is new on the boards of the groups where you paint is told here once a week; next on { $next }, if there is something.
digest-off = What is new on the board is not told here by itself. Whoever looks after this place changes that with /digest on.
digest-off-yours = What is new on the boards of the groups where you paint is not told here by itself; /digest on changes that.
denied-digest = Easel itself is not in this place, but only its commands, so it can say nothing here by itself; invite it, or type /digest on in your own conversation with it.
digest-news = { $count ->
    [one] One new thing was shared this week.
   *[other] { $count } new things were shared this week.
}
digest-news-since = { $count ->
    [one] One new thing was shared since { $since }.
   *[other] { $count } new things were shared since { $since }.
}
digest-best = These { $count } are the most liked and used of them.
digest-end = /digest off ends this.
button-board = Board
group-code = In the other group, whoever looks after it types /group link { $code }. The code is good for an hour, once.
group-answer = Now type /group link { $code } in the group that the first code is from. It is good for an hour, once.
group-joined = Both groups look at one board now; /group unlink parts them again.
group-parted = This place has a board of its own again. What was shared until now stays on the one that it left.
input-group-alone = No other group looks at the board of this place.
input-group-code = That code is none, was used, or is too old; /group link gives a new one.
gallery-title = Gallery
gallery-chat = Chat
gallery-order = Order
gallery-order-new = Newest
gallery-order-used = Most used
gallery-order-liked = Most liked
gallery-pages = Pages
gallery-before = Before
gallery-none = Nothing is shared yet in the groups where you paint. /share puts something on their boards.
gallery-by = { $maker } · { $votes ->
    [one] 1 like
   *[other] { $votes } likes
} · { $uses ->
    [one] used once
   *[other] used { $uses } times
}
settings-yours = This holds where you leave something out.
settings-here = This holds in this place where nobody says otherwise; /settings --here --steps 30 changes it, --without steps takes it back.
settings-kept = Settled.
language-name = English
fact-language = language
form-settings = Your settings
form-paint = Paint
form-keep = Keep
button-settings = Change…
explain-read = This is how it is read; nothing is painted yet.
explain-refused = This cannot be painted: { $reason }
explain-drawn = { $drawn } this time; each time anew without a seed
explain-weight = { $words } ({ $weight } times)
explain-part = { " " }| then |{ " " }
explain-of-you = { $value }, from you
explain-of-settings = { $value }, from your settings
explain-of-place = { $value }, settled for this place
explain-of-model = { $value }, the model’s own
explain-of-picture = { $value }, after your picture
explain-seed = drawn anew each time
explain-cost = { $credits ->
    [one] { $credits } credit, about { $time }
   *[other] { $credits } credits, about { $time }
}

## The grammar of prompts

input-prompts-empty = There are no words to paint; write what the picture shows.
input-prompts-many = One request has at most { $most } prompts between ||; this one has { $given }.
input-prompt-choices = Alternatives such as {"{"}red|green{"}"} stand at most { $most } deep in one another.
input-prompt-images = A prompt starts from one picture; leave one {"{"}image{"}"} in it.
input-prompt-lora = { $given } asks for a LoRA, and there are none here yet; as plain words it is written { $plain }.
input-prompt-concept = { $given } asks for a learned concept, and there are none here yet; as plain words it is written { $plain }.
input-prompt-list = { $given } asks for a list of words, and there are none here yet; as plain words it is written { $plain }.

## Flags

input-line-long = A line has at most { $most } characters; this one has { $given }.
input-flag-unknown = { GIVEN($nearest) ->
    [yes] There is no flag --{ $given }; did you mean --{ $nearest }? As plain words it is written \--{ $given }.
   *[no] There is no flag --{ $given }. There are: { $offered }. As plain words it is written \--{ $given }.
}
input-flag-twice = --{ $name } is given twice; leave one of them.
input-flag-value = --{ $given } needs a value after it: { $help }.

## Links to pictures

input-link-form = A link to a picture is written like https://example.com/picture.png, without a user name or unusual signs.
input-link-unreachable = Nothing that may be fetched answers at { $host }; saving the picture and attaching it will do.
input-link-redirects = That link leads on to others more than { $most } times; use the one where the picture itself is.
input-link-no-picture = There is no PNG, JPEG or WebP picture behind that link; use the one where the picture itself is, or attach it.
input-link-big = The picture behind that link has more than { $most } megabytes; a smaller copy will do.
input-link-slow = The picture behind that link did not arrive within { $seconds } s; saving it and attaching it will do.

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
output-unkept = The picture could not be kept: { $reason }.
output-file-failed = { $file } could not be written: { $reason }.
output-failed = The picture could not be written to { $file }: { $reason }.

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
paint-no-words = no words
paint-cancelled = Cancelled.
paint-left = This picture is left to easel run, which paints it and writes it into its file.
time-seconds = { $seconds } s
time-minutes = { $minutes } min
time-hours = { $hours } h

## Running, and letting people in

input-token-name = A token needs a name: the name of the person it lets in.
input-one-prompt = easel paint takes one prompt at a time; a command for each paints them all.
person-none = Easel knows nobody yet.
person-set = { $name }: role { $role }, tier { $tier }.
run-ending = { $count ->
    [one] One picture is being finished; press Ctrl-C again to stop at once.
   *[other] { $count } pictures are being finished; press Ctrl-C again to stop at once.
}
run-web = The chat page is at { $address }
token-revoked = { $count ->
    [0] There was no token of { $name }.
    [one] One token of { $name } was taken back.
   *[other] { $count } tokens of { $name } were taken back.
}

## What belongs to people

export-done = { $file } holds what is kept of { $name }: { $jobs ->
    [one] { $jobs } request
   *[other] { $jobs } requests
}, { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}.
forget-ask = Forget { $name } for good, with { $jobs ->
    [one] { $jobs } request
   *[other] { $jobs } requests
} and { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}?
forget-done = Forgotten: { $name }, with { $jobs ->
    [one] { $jobs } request
   *[other] { $jobs } requests
} and { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}.
forget-not = Nothing was forgotten.
forget-none = Nobody who was forgotten is back.
input-forget-whom = Write whom to forget; or, after a backup was restored, --again and nobody.
input-forget-yes = Nobody is here to be asked; write --yes to forget somebody without a question.
audit-none = Nobody has done anything yet that is noted here.
link-code = On the other platform, type /link { $code } within { $minutes } minutes, once. Then press Check here: nothing is joined before you agree.
link-waits = Nobody has typed the code yet.
link-typed = Asked. Press Check where the code is from, and agree there. Then you are one person: history, presets and settings come together, and today’s credits count once.
link-asks = { GIVEN($role) ->
    [yes] Is this you? Then all that is yours is theirs too, your role as { $role } included, and all that is theirs is yours. If it is not you, press No.
   *[no] Is this you? Then all that is yours is theirs too, and all that is theirs is yours. If it is not you, press No.
}
link-nameless = without a name
link-joined = Joined: you are one person now, on { $platforms }.
link-refused = Nobody was joined, and the code has ended.
input-link-code = That code opens nothing; /link gives a new one.
denied-link = Nobody waits to be one with you; /link gives a new code.
unlink-done = You are somebody new now on { $gone }. History and presets stay with you on { $left }; what was used of today’s credits counts for both.
input-unlink = You are not known on { $given }; you are on { $offered }.
denied-unlink = That is the only name that you are known by, so there is nothing to part.
denied-person-new = What Easel knows you as has just changed; ask for that once more.
me-export = This is all that is kept of you: { $jobs ->
    [one] { $jobs } request
   *[other] { $jobs } requests
}, { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}.
me-export-rows = This is all that is kept of you but the pictures themselves, which are too large together: { $jobs ->
    [one] { $jobs } request
   *[other] { $jobs } requests
}, { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}. Whoever runs Easel can hand over all of it with easel export.
denied-export = What is kept of you is too much for a message; whoever runs Easel can hand it over with easel export.
me-forget-ask = Forget you for good on { $platforms }, with { $jobs ->
    [one] { $jobs } request
   *[other] { $jobs } requests
} and { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}? Nothing of it comes back. What was posted in chats stays there until you delete it.
me-forgotten = Forgotten, with { $jobs ->
    [one] { $jobs } request
   *[other] { $jobs } requests
} and { $pictures ->
    [one] { $pictures } picture
   *[other] { $pictures } pictures
}. If you write again, you are somebody new.
denied-forget = That question was for somebody else; /me forget asks you.
input-forget-late = That question is too old; /me forget asks it anew.
button-check = Check
button-join = Join
button-join-no = No
button-forget = Forget me
fact-name = name

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
doctor-store = The store { $store } is up to date.
doctor-store-blank = The store { $store } will be made at the first start.
doctor-page = The chat page will be at { $address }
doctor-page-login = The chat page will be at { $address } and ask for a token: easel token create NAME
doctor-folder = Pictures can be written into { $folder }.
doctor-next = Next: easel run
doctor-next-mend = Next: mend what is marked as a problem, then type easel doctor again.

## The engine

memory-smaller = Painted at { $width } × { $height } instead of { $asked }: there was not enough memory for more.
memory-spent = { $width } × { $height } does not fit into the memory of this device. A smaller picture will do.
worker-died = The process that paints on { $device } ended in the middle, and a new one has been started. Ask again.
worker-hung = The process that paints on { $device } did nothing for { $seconds } s and has been started anew. Ask again.
worker-garbled = The process that paints said something that makes no sense and has been started anew. Ask again.
worker-start = The process that paints cannot start ({ $kind }); easel doctor may say why.

## The web adapter

config-port = Port { $port } of { $host } is taken by another program; set another one with port in [web], or end that program.
config-listen = The web chat cannot listen at { $host }, port { $port }: { $reason }. Correct host and port in [web].
config-public-url = [web] public_url must be an address such as https://easel.example; it is { $given }.
web-host = This server does not answer to the name { $host }. Whoever runs it can set [web] public_url to the address that people use.
web-origin = That came from a page of another site. Only Easel's own page may send something here.
web-large = A picture may have up to { $most } MB and a line up to { $line } characters; this was more.
web-form = What was sent is not a whole form. Send it once more.
web-login = You are not logged in. Log in with your token.
web-reload = This page is from an earlier visit. Load it again.
web-metrics = The numbers are for whoever runs this Easel: send a token with them, as Authorization: Bearer TOKEN.
web-tries = There were many wrong tokens. Wait a minute and try again.
web-token = This token opens nothing; it may have been revoked. Whoever runs this Easel makes a new one.
web-file = There is no such picture here.
web-nothing = There is nothing at this address.
fault-web = Something went wrong here that nobody foresaw. Its incident { $incident } is in the log.
example-1 = a large red circle on a blue background
example-2 = a house by the sea at sunset
example-3 = a yellow star above a purple heart
input-line-empty = The line is empty; write what the picture shows, or a command such as /help.

## Defects

fault-untold = Something went wrong that has no words yet: { $key }.
fault-incident = Something went wrong inside Easel that nobody foresaw. The details are in { $file }.
fault-unexpected = Something went wrong while painting that nobody foresaw. Its incident { $incident } is in the log.

## The web chat

page-name = Easel
page-skip = To the message
page-conversation = Conversation
page-panel = Queue and history
page-queue = Queue
page-queue-empty = Nothing is waiting.
page-history = History
page-search = Search your pictures
page-noscript = This page needs JavaScript; the command line paints without it.
page-said = The news of the week
page-earlier = Show earlier
page-latest = To the latest
page-empty = What would you like to see?
page-empty-how = Write it in your own words. A line that begins with / is a command, and -- sets a value.
page-line = Message
page-placeholder = What to paint
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
page-cover = Covered picture: press to show it
page-cover-short = Covered
page-cover-again = Cover again
page-sending = sending
page-kept = kept, sends as soon as it can
page-edit = Edit
page-discard = Discard
page-delete-ask = Delete for good?
page-delete-yes = Delete for good
page-delete-no = Keep
page-progress = Progress
page-offline = Offline. What you send is kept.
page-press-away = There is no connection; press it again when it is back.
page-logged-out = You are logged out. Log in again to go on.
page-broken = The answer could not be read. Send it once more.
page-picture-role = Source
page-picture-kept = this one stays unless you choose another
page-picture-large = The picture has { $given } MB; up to { $most } MB are taken. A smaller copy or a JPEG will do.
page-picture-kind = Pictures are taken as PNG, JPEG or WebP.
page-file-kind = Presets are taken from files that end in .json or .csv.
page-range = { $low } to { $high }
page-drop = Drop the picture to start from it
page-drop-file = Drop the file to take it in
page-yes = yes
page-no = no
page-login = Log in
page-login-title = Log in
page-login-how = Whoever runs this Easel gives you a token, made with: easel token create NAME
page-login-token = Token
page-logout = Log out
page-back = Back to the chat

## The database

db-folder = The folder { $folder } for the database cannot be made: { $reason }.
db-unusable = The database { $database } cannot be used: { $reason }.
db-behind = The tables are those of the older revision { $current }; make a backup, then type easel db upgrade to bring them to { $head }.
db-ahead = The tables are those of revision { $current }, which is newer than this Easel ({ $head }). Update Easel, or name another database.
db-current = { $database } has the tables that this Easel needs, of revision { $current }.
db-blank = { $database } has no tables yet; they are made when Easel first starts, or by easel db upgrade.
db-differs = { $database } has the right revision, but its tables differ from it: { $where }. Bring back a backup, or mend them by hand.
db-moved = { GIVEN($after) ->
    [yes] { GIVEN($before) ->
        [yes] { $database } went from revision { $before } to { $after }.
       *[no] { $database } has its tables now, of revision { $after }.
    }
   *[no] { $database } has no tables any more.
}
db-stayed = { GIVEN($after) ->
    [yes] { $database } is at revision { $after } already.
   *[no] { $database } has no tables, and stays so.
}
db-foreign = The database has tables of Easel's names that Easel did not make. Name a database of its own, or an empty one.
input-revision = There is no way to the revision { $given }. There are: { $offered }.

## Telegram

run-telegram = Telegram is being connected to: { $address }
telegram-start = I am { $name }, and I paint.
telegram-start-words = Write what you want to see, such as: a red circle on a blue background.
telegram-start-picture = To start from a picture, send it with the words, or answer it with them. /help tells more.
telegram-help-start = Say hello, and how this works
telegram-ask = /{ $command }: { $help }?
telegram-picture = Answer your picture with the words for what is to become of it.
telegram-edited = That message is being painted as it was; press Edit… below its picture to change it.
telegram-channel = In a channel nobody can have a queue; ask in a group or in a private chat.
telegram-private = That is answered in a private chat, and Easel may not write to you there yet.
telegram-open = Open the chat
telegram-sent-privately = Sent to you privately.
telegram-gone = That message is too old to press anything in it.
telegram-done = Done.
telegram-nobody = That is for one person alone, and nobody is seen to ask for it here; open the chat and ask there.
telegram-refused = Telegram did not take the result; /history has it.
telegram-unsaid = Telegram did not take the answer; try again in a minute.
telegram-link = The link asks for this: { $line }
telegram-closed = This could not be posted where it was asked for.
telegram-no-photo = Telegram takes no picture of this size; it is in the history.
telegram-unsure = The pictures may not have arrived: { $words }. Press the button if they have not.
telegram-broke = Something went wrong inside Easel that nobody foresaw. Whoever runs it finds it in the log under { $code }.
telegram-form-answer = Press what you want to change, or answer this message with new words.
telegram-form-words = Answer the message with the { $name }; in an answer --name value sets any other field.
telegram-form-long = These settings are too long to be changed in Telegram; copy the words and send them anew.
telegram-inline-preset = Paint with { $name }
telegram-inline-none = Nothing painted yet: open the chat
telegram-inline-covered = Pictures are covered: open the chat
button-original = Original
doctor-telegram = Telegram: this is { $name }, at { $link }
doctor-telegram-privacy = Privacy mode is off there: Telegram sends every message of its groups to the bot, which needs none but commands. BotFather turns it on with /setprivacy.
doctor-telegram-webhook = Telegram brings its news to another address; polling takes that away when Easel starts.
doctor-telegram-refused = Telegram does not know this token; ask BotFather for it again and put it into [telegram] token.
doctor-telegram-away = Telegram could not be asked at { $address }: { $reason }. Look at [telegram] api_base and at this computer's network.

## Discord

run-discord = Discord is being connected to: { $address }
discord-age = Painting is only for age-restricted channels here; with /imagine it may also be asked for in a direct message.
discord-broke = Something went wrong inside Easel that nobody foresaw. Whoever runs it finds it in the log under { $code }.
discord-done = Done.
discord-more = { $count ->
    [one] one more is in /history
   *[other] { $count } more are in /history
}
discord-pick = { $label }…
discord-below = The picture will come in a message of its own.
discord-too-large = Discord takes no picture of this size here; it is in the history.
discord-closed = This could not be posted where it was asked for.
discord-range = { $low } to { $high }
discord-unsure = Your picture may not have arrived: { $words }. Press the button if it has not.
discord-private = That is answered in a direct message, and yours are closed to Easel.
discord-no-answer = Easel may not write where you asked for a picture; a moderator has to let it, or ask for it here.
discord-menu-source = Use as source
discord-menu-info = Info
discord-menu-again = Again
discord-menu-none = There is no picture of Easel in that message.
discord-menu-no-picture = There is no picture in that message.
doctor-discord = Discord: this is { $name }. Invite it with { $invite }
doctor-discord-refused = Discord does not know this token; copy it again from the Bot page of the developer portal into [discord] token.
doctor-discord-away = Discord could not be asked at { $address }: { $reason }. Look at [discord] api_base and at this computer's network.
doctor-discord-elsewhere = Discord sends commands and presses to an Interactions Endpoint URL and not to Easel; empty that field in the developer portal.
