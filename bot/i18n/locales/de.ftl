# Jeder Satz für Menschen auf Deutsch; en.ftl sagt, was gemeint ist. Kurz, freundlich, genau; wir duzen.
# Hilfe und Beschreibungen der Befehle (help-, param-) stehen auf Englisch in ihren Deklarationen und nur hier auf Deutsch.

## Konfiguration

config-unknown = { GIVEN($nearest) ->
    [yes] { $key } ist keine Einstellung; meintest du { $nearest }?
   *[no] { $key } ist keine Einstellung. In config.example.toml stehen alle.
}
config-missing = { $key } fehlt.
config-whole = { $key } muss eine ganze Zahl sein; dort steht { $given }.
config-number = { $key } muss eine Zahl sein; dort steht { $given }.
config-yes-no = { $key } muss true oder false sein; dort steht { $given }.
config-text = { $key } muss Text in Anführungszeichen sein; dort steht { $given }.
config-list = { $key } muss eine Liste von Texten wie ["auto"] sein; dort steht { $given }.
config-choice = { $key } muss { $expected } sein; dort steht { $given }.
config-least = { $key } muss mindestens { $ge } sein; dort steht { $given }.
config-most = { $key } darf höchstens { $le } sein; dort steht { $given }.
config-webhook = { $key } mit mode = "webhook" braucht auch webhook_url und webhook_secret.
config-address = { $key } muss eine Adresse wie https://example.org/api sein; dort steht { $given }.
config-long = { $key } ist zu lang.
config-empty = { $key } darf nicht leer sein.
config-time-zone = { $key } muss eine Zeitzone wie "Europe/Berlin" sein; dort steht { $given }.
config-section = { $key } muss ein Abschnitt mit eigenen Schlüsseln sein; dort steht { $given }.
config-value = { $key } kann nicht { $given } sein.
config-file-missing = Es gibt keine Datei { $file }.
config-file-unreadable = Die Datei { $file } lässt sich nicht lesen: { $reason }.
config-file-broken = { $file } ist kein gültiges TOML: { $reason }.
config-store = [store] url ist nicht verwendbar; schreib sqlite+aiosqlite:///DATEI oder postgresql+psycopg://BENUTZER:PASSWORT@HOST/NAME (bekannt sind { $offered }).
config-files = [files] url ist nicht verwendbar ({ $reason }); schreib einen Ordner wie data/files oder eine Adresse wie s3://bucket/easel.

## Was Leute schreiben und anhängen

input-prompt-long = Ein Prompt hat höchstens { $most } Zeichen; dieser hat { $given }.
input-prompt-deep = Klammern gehen höchstens { $most } tief; schreib das Gewicht in ein einziges Paar, etwa (word:1.5).
input-size = Eine Größe schreibt man wie 768x512; du hast { $given } geschrieben.
input-strength-alone = Die Stärke sagt, wie viel von einem Bild neu gemalt wird, darum braucht sie ein Bild: Häng eins an oder lass die Stärke weg.
input-file-missing = Es gibt keine Datei { $file }.
input-file-unreadable = Die Datei { $file } lässt sich nicht lesen.
words-unknown = { $count ->
    [one] Dem Modell { $model } wurde das Wort { $words } nicht beigebracht; es kennt Wörter wie { $known }.
   *[other] Dem Modell { $model } wurden die Wörter { $words } nicht beigebracht; es kennt Wörter wie { $known }.
}

## Befehle und ihre Parameter

input-command = { GIVEN($nearest) ->
    [yes] Es gibt keinen Befehl /{ $given }; meintest du /{ $nearest }?
   *[no] Es gibt keinen Befehl /{ $given }; /help zeigt alle.
}
input-parameter = { GIVEN($nearest) ->
    [yes] /{ $command } hat kein { $given }; meintest du { $nearest }?
   *[no] /{ $command } hat kein { $given }; /help { $command } zeigt, was es gibt.
}
input-missing = /{ $command } braucht noch { $name }: { $help }.
input-long = { $name } hat höchstens { $most } Zeichen; hier sind es { $given }.
input-choice = { $name } ist eins von { $offered }; du hast { $given } geschrieben.
input-range = { GIVEN($low) ->
    [yes] { GIVEN($high) ->
        [yes] { $name } muss von { $low } bis { $high } gehen; du hast { $given } geschrieben.
       *[no] { $name } muss mindestens { $low } sein; du hast { $given } geschrieben.
    }
   *[no] { $name } darf höchstens { $high } sein; du hast { $given } geschrieben.
}
input-number = { $whole ->
    [yes] { GIVEN($low) ->
        [yes] { $name } muss eine ganze Zahl von { $low } bis { $high } sein; du hast { $given } geschrieben.
       *[no] { $name } muss eine ganze Zahl sein; du hast { $given } geschrieben.
    }
   *[no] { GIVEN($low) ->
        [yes] { $name } muss eine Zahl von { $low } bis { $high } sein; du hast { $given } geschrieben.
       *[no] { $name } muss eine Zahl sein; du hast { $given } geschrieben.
    }
}
input-yes-no = { $name } ist yes oder no; du hast { $given } geschrieben.
input-value = { $name } kann nicht { $given } sein: { $help }.
input-shape = Ein Format schreibt man wie 16:9, und es ist höchstens { $most }-mal so breit wie hoch oder umgekehrt; du hast { $given } geschrieben.
input-prompt-empty = Es sind keine Worte zum Malen da; schreib, was das Bild zeigt.
input-picture-none = /{ $command } nimmt kein Bild; schick es ohne eins, oder geh mit /imagine von dem Bild aus.
input-two-pictures = Ein Auftrag geht von einem Bild aus, und hier sind zwei; lass eins weg.
input-twice = { $name } steht zweimal da; lass eins davon weg.
input-words = /{ $command } nimmt keine Worte; du hast { $given } geschrieben.
input-picture-unknown = { $given } ist weder ein Link noch die ID eines Bildes von dir. Häng das Bild an, oder kopier die ID aus seiner Info.
input-form-old = Das Formular war zu lange offen; wähl das Bild noch einmal.
input-picture-fetch = Das Bild ist nicht angekommen; schick es noch einmal.
input-picture-gone = Das Bild, von dem es ausgehen soll, wurde gelöscht; häng es noch einmal an.
input-image-missing = Im Prompt steht {"{"}image{"}"}, und es kam kein Bild mit; häng eins an, oder schreib {"{"}image:LINK{"}"}.
input-links-off = Links zu Bildern wird hier nicht gefolgt; häng das Bild selbst an.
input-button = Dieser Knopf ist aus einer anderen Version von Easel; der getippte Befehl geht.
denied-job = So einen Auftrag von dir gibt es nicht.
denied-picture = So ein Bild von dir gibt es nicht.
denied-moderators = Das ist denen vorbehalten, die sich um diesen Ort kümmern.
denied-operators = Das ist denen vorbehalten, die Easel betreiben.
denied-cover = Bilder sind überall verdeckt: Das haben die festgelegt, die Easel betreiben, und kein Ort nimmt es zurück.
denied-form = Das Formular gehört jemand anderem; drück den Knopf, der es gezeigt hat, dann bekommst du dein eigenes.
denied-channel = Wer als Kanal spricht, ist nicht bekannt; frag als du selbst.
input-person = { $given } kennt Easel nicht; schreib einen Namen, eine ID oder plattform:id.
input-person-name = { $given } ist ein Name, und Namen sind frei gewählt; schreib stattdessen die ID, sie ist { $id }.
input-person-several = Mehrere Leute heißen { $given }; schreib eine ID oder plattform:id.
denied-disk = Für neue Bilder ist gerade kein Platz; der Betreiber muss welchen schaffen.
denied-open = { $most ->
    [one] Es kann { $most } Auftrag von dir offen sein; frag wieder, wenn er fertig ist.
   *[other] Es können { $most } Aufträge von dir offen sein; frag wieder, wenn einer davon fertig ist.
}
denied-credits = { $cost ->
    [one] Das kostet { $cost } Credit, und du hast noch { $left }; morgen hast du wieder { $most }.
   *[other] Das kostet { $cost } Credits, und du hast noch { $left }; morgen hast du wieder { $most }.
}
denied-credits-day = { $cost ->
    [one] Das kostet { $cost } Credit, und ein Tag hat { $most }; weniger Bilder, weniger Schritte oder eine kleinere Größe kosten weniger.
   *[other] Das kostet { $cost } Credits, und ein Tag hat { $most }; weniger Bilder, weniger Schritte oder eine kleinere Größe kosten weniger.
}
denied-credits-place = { $cost ->
    [one] Das kostet { $cost } Credit, und hier sind noch { $left } übrig; morgen sind es wieder { $most }.
   *[other] Das kostet { $cost } Credits, und hier sind noch { $left } übrig; morgen sind es wieder { $most }.
}
denied-credits-here = { $cost ->
    [one] Das kostet { $cost } Credit. Hier hat jeder { $most } am Tag, und du hast hier heute noch { $left } übrig.
   *[other] Das kostet { $cost } Credits. Hier hat jeder { $most } am Tag, und du hast hier heute noch { $left } übrig.
}

## Aufträge und ihre Karten

card-starting = fängt gleich an
card-next = als Nächstes dran
card-waiting = an { $place } Stelle
card-waiting-time = { $place }, etwa { $time }
card-paused = von einem Moderator angehalten
card-cancelled = abgebrochen
card-failed = Das hat nicht geklappt.
card-deleted = gelöscht
button-again = Nochmal
button-cancel = Abbrechen
button-vary = Variieren
button-edit = Ändern…
form-edit = Ändern und neu malen
button-info = Info
button-resend = Nochmal senden
button-own = Selbst eins malen
button-delete = Löschen
button-more = Mehr
button-first = Nach vorn
button-retry = Neu versuchen
queue-empty = Von dir wartet nichts.
queue-open = { $count ->
    [one] { $count } Auftrag von dir ist offen.
   *[other] { $count } Aufträge von dir sind offen.
}
queue-running = wird gemalt
cancel-done = Abgebrochen: { $words }
cancel-late = Der ist schon zu Ende, da gibt es nichts mehr abzubrechen.
move-done = Verschoben: { $words }
move-not = Der lässt sich nicht dorthin verschieben: Er wartet nicht, oder er ist schon dort.
retry-done = Wieder in der Reihe: { $words }
retry-not = Der ist nicht gescheitert, da gibt es nichts neu zu versuchen.
resend-done = Wird noch einmal gesendet: { $words }
resend-not = Das ist angekommen oder unterwegs.
quota-none = Du kannst malen, so viel du willst.
quota-some = Deine Credits; ein neuer Tag beginnt um Mitternacht ({ $zone }).
quota-left = noch { $left } von { $most }
fact-today = heute
fact-here = du, hier
fact-place = hier, zusammen
fact-granted = geschenkt
grant-done = { $extra ->
    [one] { $name } hat jetzt { $extra } geschenkten Credit.
   *[other] { $name } hat jetzt { $extra } geschenkte Credits.
}
pause-place = Hier angehalten: { $count ->
    [one] { $count } Auftrag
   *[other] { $count } Aufträge
} und alle neuen.
resume-place = Hier geht es weiter: { $count ->
    [one] { $count } Auftrag
   *[other] { $count } Aufträge
}.
pause-person = Für { $name } angehalten: { $count ->
    [one] { $count } Auftrag
   *[other] { $count } Aufträge
} und alle neuen.
resume-person = Für { $name } geht es weiter: { $count ->
    [one] { $count } Auftrag
   *[other] { $count } Aufträge
}.
delete-done = Gelöscht: { $words }
history-page = { GIVEN($words) ->
    [yes] { $first } bis { $last } von { $count } mit „{ $words }“.
   *[no] { $first } bis { $last } von { $count }.
}
history-next = Für mehr schreib /history { $words } --page { $page }
history-none = { GIVEN($words) ->
    [yes] Kein Bild von dir hat „{ $words }“ im Prompt.
   *[no] Du hast noch keine Bilder; schreib, was du sehen möchtest.
}
history-end = Es gibt keine Seite { $page }; auf früheren Seiten sind Bilder, insgesamt { $count }.
job-unreadable = Dieser Auftrag ist aus einer anderen Version von Easel und nicht lesbar; schreib ihn neu.
job-poison = Dieser Auftrag wurde { $attempts }-mal begonnen und nie fertig, darum wird er nicht noch einmal versucht. Ein kleineres Bild oder andere Worte helfen vielleicht.

## Was man von einem Bild weiß

fact-prompt = Prompt
fact-negative = ohne
fact-drawn = gelost
fact-model = Modell
fact-size = Größe
fact-seed = Seed
fact-steps = Schritte
fact-guidance = Guidance
fact-scheduler = Scheduler
fact-strength = Stärke
fact-count = Bilder
fact-cost = kostet
fact-painted = gemalt
fact-seconds = dauerte
fact-id = ID
size = { $width } × { $height }
number = { $amount }
ordinal = { $place }.
time-moment = { $day }.{ $month }.{ $year }, { $time } UTC

## Hilfe und Erklärung

help-all = Schreib, was du sehen möchtest, oder eins von diesen. /help und ein Name erzählt alles über eins.
help-one = { $usage }: { $help }
about-flag = flag
about-needed = nötig
about-choices = eins von { $offered }
about-picture = angehängt, ein Link oder die ID eines Bildes von dir
about-yes-no = yes oder no
about-such = es gibt { $offered }
about-also = auch { $names }
about-default = { $default }, wenn es fehlt
about-range = { $low } bis { $high }
about-least = mindestens { $low }
about-most = höchstens { $high }
docs-commands = Befehle
docs-commands-intro = Aus den Deklarationen in bot/commands gemacht, mit python -m bot.commands.reference > docs/commands.md; eine Zeile ohne Befehl ist ein Prompt für /imagine.
docs-flags = Flags
docs-flags-intro = Alles außer den Worten selbst sagen Flags, in beliebiger Reihenfolge.
docs-prompts = Prompts
docs-prompts-intro = Ein Prompt hat bis zu { $most } Zeichen; ein Auftrag fasst bis zu { $several } davon.
docs-history = Suchen
docs-history-intro = /history nimmt Wörter und Filter in beliebiger Reihenfolge; ein Wert mit Leerzeichen steht in Anführungszeichen.
docs-write = du schreibst
docs-means = das heißt
settings-yours = Das gilt, wo du etwas weglässt.
settings-here = Das gilt an diesem Ort, wo sonst niemand etwas sagt; /settings --here --steps 30 ändert es, --without steps nimmt es zurück.
settings-kept = Gemerkt.
language-name = Deutsch
fact-language = Sprache
form-settings = Deine Einstellungen
form-paint = Malen
form-keep = Merken
button-settings = Ändern…
explain-read = So wird es gelesen; gemalt ist noch nichts.
explain-refused = Das lässt sich nicht malen: { $reason }
explain-drawn = diesmal { $drawn }; ohne Seed jedes Mal neu
explain-weight = { $words } ({ $weight }-fach)
explain-part = { " " }| dann |{ " " }
explain-of-you = { $value }, von dir
explain-of-settings = { $value }, aus deinen Einstellungen
explain-of-place = { $value }, für diesen Ort festgelegt
explain-of-model = { $value }, vom Modell
explain-of-picture = { $value }, nach deinem Bild
explain-seed = jedes Mal neu gelost
explain-cost = { $credits ->
    [one] { $credits } Credit, etwa { $time }
   *[other] { $credits } Credits, etwa { $time }
}

## Die Grammatik der Prompts

input-prompts-empty = Es sind keine Worte zum Malen da; schreib, was das Bild zeigt.
input-prompts-many = Ein Auftrag hat höchstens { $most } Prompts zwischen ||; dieser hat { $given }.
input-prompt-choices = Alternativen wie {"{"}red|green{"}"} stehen höchstens { $most } tief ineinander.
input-prompt-images = Ein Prompt geht von einem Bild aus; lass nur ein {"{"}image{"}"} darin.
input-prompt-lora = { $given } meint ein LoRA, und hier gibt es noch keine; als gewöhnliche Worte schreibt man { $plain }.
input-prompt-concept = { $given } meint ein gelerntes Konzept, und hier gibt es noch keine; als gewöhnliche Worte schreibt man { $plain }.
input-prompt-list = { $given } meint eine Wortliste, und hier gibt es noch keine; als gewöhnliche Worte schreibt man { $plain }.

## Flags

input-line-long = Eine Zeile hat höchstens { $most } Zeichen; diese hat { $given }.
input-flag-unknown = { GIVEN($nearest) ->
    [yes] Es gibt kein Flag --{ $given }; meintest du --{ $nearest }? Als gewöhnliche Worte schreibt man \--{ $given }.
   *[no] Es gibt kein Flag --{ $given }. Es gibt: { $offered }. Als gewöhnliche Worte schreibt man \--{ $given }.
}
input-flag-twice = --{ $name } steht zweimal da; lass eins davon weg.
input-flag-value = --{ $given } braucht dahinter einen Wert: { $help }.

## Links zu Bildern

input-link-form = Einen Link zu einem Bild schreibt man wie https://example.com/picture.png, ohne Benutzernamen und ungewöhnliche Zeichen.
input-link-unreachable = Unter { $host } antwortet nichts, was geholt werden darf; speichere das Bild und häng es an.
input-link-redirects = Dieser Link führt mehr als { $most }-mal weiter; nimm den, unter dem das Bild selbst liegt.
input-link-no-picture = Hinter diesem Link ist kein Bild als PNG, JPEG oder WebP; nimm den, unter dem das Bild selbst liegt, oder häng es an.
input-link-big = Das Bild hinter diesem Link hat mehr als { $most } Megabyte; eine kleinere Kopie geht.
input-link-slow = Das Bild hinter diesem Link kam nicht innerhalb von { $seconds } s an; speichere es und häng es an.

## Ausgangsbilder

picture-bytes = Das Bild hat { $given } Byte; bis zu { $most } werden genommen. Eine kleinere Kopie oder ein JPEG geht.
picture-format = Diese Datei ist keine der Bildarten, die hier gelesen werden: { $offered }.
picture-pixels = Das Bild hat { $width } × { $height } Pixel; insgesamt werden bis zu { $most } Pixel genommen (etwa 4000 × 4000). Eine kleinere Kopie geht.
picture-parts = Die Bilddatei ist in mehr als { $most } Teile zerlegt, was keine gewöhnliche ist. Neu gespeichert in einem Bildprogramm, geht sie.
picture-scans = Das JPEG besteht aus mehr als { $most } Schichten, was bei gewöhnlichen nicht vorkommt. Neu gespeichert in einem Bildprogramm, geht es.
picture-broken = Die { $format }-Datei ist beschädigt oder bricht ab. Speichere oder schick sie noch einmal.

## Was ein Modell erlaubt

range-number = { $name } muss von { $low } bis { $high } gehen; du hast { $given } geschrieben.
range-multiple = { $name } muss ein Vielfaches von { $multiple } sein; du hast { $given } geschrieben, und { $nearest } ist am nächsten.
range-pixels = { $width } × { $height } ist mehr, als dieses Modell malt: { $most } Pixel insgesamt.
range-no-steps = { $steps ->
    [one] Mit { $steps } Schritt und Stärke { $strength } wird nichts gemalt; die Stärke muss mindestens { $least } sein.
   *[other] Mit { $steps } Schritten und Stärke { $strength } wird nichts gemalt; die Stärke muss mindestens { $least } sein.
}
range-dtype = dtype muss eins von { $offered } sein; dort steht { $given }.
unknown-model = { GIVEN($nearest) ->
    [yes] Es gibt kein Modell { $given }; meintest du { $nearest }?
   *[no] Es gibt kein Modell { $given }. Es gibt: { $offered }.
}
unknown-scheduler = { GIVEN($nearest) ->
    [yes] Dieses Modell hat keinen Scheduler { $given }; meintest du { $nearest }?
   *[no] Dieses Modell hat keinen Scheduler { $given }. Es hat: { $offered }.
}

## Modelle, die nicht gehen

model-missing = { $path } ist nicht da oder nicht lesbar. Leg das Modell dorthin, oder berichtige den Pfad in der Konfiguration.
model-folder-missing = Den Modellordner { $path } gibt es nicht. Leg ihn an, oder berichtige models_dir in der Konfiguration.
model-name = { $path } kann kein Modellname sein. Nimm bis zu 80 Buchstaben, Ziffern, Leerzeichen und . _ + - ( ), jeden Namen einmal.
model-outside = { $path } ist oder enthält einen Link aus dem Modellordner hinaus. Verschieb die Dateien hinein, oder nenn ihren eigenen Pfad in der Konfiguration.
model-pickled = { $path } enthält Gewichte als Pickle, die beim Öffnen beliebigen Code ausführen können. Nimm die .safetensors-Datei des Modells, oder wandle sie anderswo um.
model-unreadable = { $path } ist keine lesbare safetensors-Datei oder Modellkonfiguration. Hol sie noch einmal.
model-truncated = { $path } endet zu früh: Sie hat { $bytes } Byte und müsste { $promised } haben. Hol sie noch einmal.
model-pointer = { $path } ist ein Zeiger von Git LFS und nicht die Gewichte selbst. Hol die Datei mit git lfs pull oder von ihrer Seite.
model-unfamiliar = { $path } ist kein Modell von Stable Diffusion 1, 2, XL oder 3. LoRAs, ControlNets und Teile eines Modells gehören nicht hierher.
model-refiner = { $path } ist ein SDXL-Refiner, der nicht allein malen kann. Nimm ein SDXL-Basismodell.
model-mode = { $path } nimmt { $channels } Eingangskanäle, wie Modelle zum Inpainting oder Bearbeiten. Nimm das einfache Modell derselben Familie.
model-ema-names = { $path } enthält nur gemittelte Gewichte unter ihren Trainingsnamen. Nimm die EMA-only-Datei, die dafür gemacht wurde.
model-not-folder = { $path } ist ein Ordner ohne model_index.json. Nenn den Ordner eines ganzen diffusers-Modells oder eine .safetensors-Datei.
model-part-missing = { $path } fehlt der Teil { $part }. Hol das Modell noch einmal, oder gib einen config-Ordner an, der ihn enthält.
model-variant = { $path } enthält seine Teile in Varianten, die nicht zusammengehören. Hol alles in einer Variante: einfach, fp16 oder bf16.
model-class = { $path } verlangt { $given } als { $part }, was Easel nicht macht. Nimm ein übliches Modell von Stable Diffusion 1, 2, XL oder 3.
model-prediction = { $path } würde „{ $given }“ vorhersagen, was seine Familie nicht kann. Vorhersagen sind { $offered }; flow gehört zu Stable Diffusion 3.
model-card = { $path } ist als Karte eines Modells nicht verwendbar: { $reason }.
model-family = Das Modell { $name } braucht eine family, eine von { $offered }. Schreib sie in seine Tabelle der Konfiguration.
model-other-family = Das Modell { $name } sollte von der Familie { $given } sein, gefunden wurde { $found }.
model-config-needed = { $path } ist eine einzelne Datei ohne Tokenizer. Gib dem Modell { $name } eine config: einen diffusers-Ordner von { $family }.
model-not-fetched = Das Modell { $source } ist nicht auf diesem Rechner: { $reason }. Hol es vorher, oder erlaube Downloads in der Konfiguration.
model-broken = { $path } ließ sich nicht laden: { $reason }.
model-incomplete = { $path } fehlen einige Gewichte. Hol es noch einmal.

## Wohin Bilder gehen

output-folder-missing = Es gibt keinen Ordner { $folder } für das Bild.
output-folder-unwritable = In den Ordner { $folder } lässt sich nichts schreiben.
output-file-unwritable = Die Datei { $file } darf nicht überschrieben werden.
output-is-folder = { $file } ist ein Ordner; nenn eine Datei darin.
output-not-png = Easel schreibt PNG-Dateien, die ihre Einstellungen in sich tragen; nenn die Datei { $right }.
output-unkept = Das Bild konnte nicht aufgehoben werden: { $reason }.
output-file-failed = { $file } konnte nicht geschrieben werden: { $reason }.
output-failed = Das Bild konnte nicht in { $file } geschrieben werden: { $reason }.

## Malen im Terminal

paint-loading = Modell wird geladen
paint-step = Schritt { $n } von { $of }
paint-step-left = { $done }, noch etwa { $left }
paint-result = { $prompt } · { $steps ->
    [one] { $steps } Schritt
   *[other] { $steps } Schritte
} · Seed { $seed } · { $seconds } s
paint-result-several = { $prompt } · { $count } Bilder · { $steps ->
    [one] { $steps } Schritt
   *[other] { $steps } Schritte
} · Seeds { $seed } bis { $last } · { $seconds } s
paint-no-words = keine Worte
paint-cancelled = Abgebrochen.
paint-left = Dieses Bild bleibt easel run überlassen, das es malt und in seine Datei schreibt.
time-seconds = { $seconds } s
time-minutes = { $minutes } min
time-hours = { $hours } h

## Betrieb, und wer hereindarf

input-token-name = Ein Token braucht einen Namen: den der Person, die es hereinlässt.
input-one-prompt = easel paint nimmt einen Prompt auf einmal; ein Befehl für jeden malt sie alle.
person-none = Easel kennt noch niemanden.
person-set = { $name }: Rolle { $role }, Stufe { $tier }.
run-ending = { $count ->
    [one] Ein Bild wird noch fertig; mit Ctrl-C noch einmal hört es sofort auf.
   *[other] { $count } Bilder werden noch fertig; mit Ctrl-C noch einmal hört es sofort auf.
}
run-web = Die Chatseite ist unter { $address }
token-revoked = { $count ->
    [0] Es gab kein Token von { $name }.
    [one] Ein Token von { $name } wurde zurückgenommen.
   *[other] { $count } Tokens von { $name } wurden zurückgenommen.
}

## Was den Leuten gehört

export-done = { $file } enthält, was von { $name } aufgehoben ist: { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträge
}, { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bilder
}.
forget-ask = { $name } für immer vergessen, mit { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträgen
} und { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bildern
}?
forget-done = Vergessen: { $name }, mit { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträgen
} und { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bildern
}.
forget-not = Nichts wurde vergessen.
forget-none = Niemand, der vergessen wurde, ist wieder da.
input-forget-whom = Schreib, wer vergessen werden soll; oder, nachdem eine Sicherung zurückgespielt wurde, --again und niemanden.
input-forget-yes = Hier ist niemand, der gefragt werden kann; schreib --yes, um jemanden ohne Frage zu vergessen.
audit-none = Noch hat niemand etwas getan, was hier notiert wird.
link-code = Schreib auf der anderen Plattform innerhalb von { $minutes } Minuten einmal /link { $code }. Drück dann hier Nachsehen: Verbunden wird erst, wenn du zustimmst.
link-waits = Noch hat niemand den Code geschrieben.
link-typed = Gefragt. Drück dort, woher der Code ist, Nachsehen und stimm zu. Dann bist du eine Person: Verlauf, Presets und Einstellungen kommen zusammen, und die Credits von heute zählen einmal.
link-asks = { GIVEN($role) ->
    [yes] Bist du das? Dann gehört alles, was deins ist, auch dorthin, deine Rolle als { $role } eingeschlossen, und alles von dort dir. Bist du es nicht, drück Nein.
   *[no] Bist du das? Dann gehört alles, was deins ist, auch dorthin, und alles von dort dir. Bist du es nicht, drück Nein.
}
link-nameless = ohne Namen
link-joined = Verbunden: Du bist jetzt eine Person, auf { $platforms }.
link-refused = Niemand wurde verbunden, und der Code gilt nicht mehr.
input-link-code = Dieser Code öffnet nichts; /link gibt einen neuen.
denied-link = Niemand wartet darauf, mit dir verbunden zu werden; /link gibt einen neuen Code.
unlink-done = Auf { $gone } bist du jetzt jemand Neues. Verlauf und Presets bleiben bei dir auf { $left }; was heute an Credits verbraucht wurde, zählt für beide.
input-unlink = Auf { $given } kennt dich niemand; du bist auf { $offered }.
denied-unlink = Das ist der einzige Name, unter dem du bekannt bist, also gibt es nichts zu trennen.
denied-person-new = Als wen Easel dich kennt, hat sich gerade geändert; frag noch einmal danach.
me-export = Das ist alles, was von dir aufbewahrt wird: { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträge
}, { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bilder
}.
me-export-rows = Das ist alles, was von dir aufbewahrt wird, bis auf die Bilder selbst, die zusammen zu groß sind: { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträge
}, { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bilder
}. Wer Easel betreibt, kann alles mit easel export übergeben.
denied-export = Was von dir aufbewahrt wird, ist zu viel für eine Nachricht; wer Easel betreibt, kann es mit easel export übergeben.
me-forget-ask = Dich auf { $platforms } für immer vergessen, mit { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträgen
} und { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bildern
}? Nichts davon kommt zurück. Was in Chats steht, bleibt dort, bis du es löschst.
me-forgotten = Vergessen, mit { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträgen
} und { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bildern
}. Schreibst du wieder, bist du jemand Neues.
denied-forget = Diese Frage galt jemand anderem; /me forget fragt dich.
input-forget-late = Diese Frage ist zu alt; /me forget stellt sie neu.
button-check = Nachsehen
button-join = Verbinden
button-join-no = Nein
button-forget = Mich vergessen
fact-name = Name

## Modelle im Terminal

models-name = Name
models-title = Titel
models-family = Familie
models-kind = liegt vor als
models-variant = Variante
models-prediction = sagt vorher
models-precision = Genauigkeit
models-megabytes = Megabyte
models-size = Größe
models-steps = Schritte
models-schedulers = Scheduler
models-words = Wörter

## easel doctor

doctor-state-ok = gut
doctor-state-note = Hinweis
doctor-state-problem = Problem
doctor-python = Python { $version }
doctor-config = Die Konfiguration ist { $file }.
doctor-no-config = Hier ist keine easel.toml, also gilt überall die Vorgabe; config.example.toml zeigt, was sich einstellen lässt.
doctor-library = { $name } { $version }
doctor-library-missing = { $name } ist nicht installiert; tipp: pip install -c requirements.lock -e .
doctor-gpu = GPU: { $name }
doctor-gpu-unused = Es gibt eine GPU, aber das installierte torch ist für Prozessoren gebaut; installiere die CUDA-Ausgabe derselben Version, um sie zu nutzen.
doctor-gpu-missing = Die Konfiguration nennt die Geräte { $devices }, aber keine NVIDIA-GPU antwortet; setz [inference] devices auf ["auto"], oder bring den Treiber in Ordnung.
doctor-processor = Keine NVIDIA-GPU antwortet; der Prozessor malt, was mit dem Demo-Modell schnell geht und mit großen langsam.
doctor-model = Modell { $name } ({ $family }): { $source }
doctor-models-folder-missing = Es gibt keinen Modellordner { $folder }; leg ihn an und Modelle hinein, und sie werden von selbst gefunden.
doctor-store = Der Speicher { $store } ist auf dem neuesten Stand.
doctor-store-blank = Der Speicher { $store } wird beim ersten Start angelegt.
doctor-page = Die Chatseite wird unter { $address } sein
doctor-page-login = Die Chatseite wird unter { $address } sein und ein Token verlangen: easel token create NAME
doctor-folder = Bilder können in { $folder } geschrieben werden.
doctor-next = Weiter: easel run
doctor-next-mend = Weiter: Bring in Ordnung, was als Problem markiert ist, und tipp dann noch einmal easel doctor.

## Die Maschine

memory-smaller = Mit { $width } × { $height } statt { $asked } gemalt: Für mehr reichte der Speicher nicht.
memory-spent = { $width } × { $height } passt nicht in den Speicher dieses Geräts. Ein kleineres Bild geht.
worker-died = Der Prozess, der auf { $device } malt, endete mittendrin, und ein neuer wurde gestartet. Frag noch einmal.
worker-hung = Der Prozess, der auf { $device } malt, tat { $seconds } s lang nichts und wurde neu gestartet. Frag noch einmal.
worker-garbled = Der Prozess, der malt, sagte etwas Sinnloses und wurde neu gestartet. Frag noch einmal.
worker-start = Der Prozess, der malt, kann nicht starten ({ $kind }); easel doctor weiß vielleicht, warum.

## Der Web-Adapter

config-port = Port { $port } von { $host } ist von einem anderen Programm belegt; setz mit port in [web] einen anderen, oder beende das Programm.
config-listen = Der Webchat kann nicht auf { $host }, Port { $port } lauschen: { $reason }. Berichtige host und port in [web].
config-public-url = [web] public_url muss eine Adresse wie https://easel.example sein; dort steht { $given }.
web-host = Dieser Server hört nicht auf den Namen { $host }. Wer ihn betreibt, kann [web] public_url auf die Adresse setzen, die Leute nutzen.
web-origin = Das kam von der Seite einer anderen Website. Nur Easels eigene Seite darf hierher etwas senden.
web-large = Ein Bild darf bis zu { $most } MB haben und eine Zeile bis zu { $line } Zeichen; das war mehr.
web-form = Was gesendet wurde, ist kein ganzes Formular. Sende es noch einmal.
web-login = Du bist nicht angemeldet. Melde dich mit deinem Token an.
web-reload = Diese Seite ist von einem früheren Besuch. Lade sie neu.
web-metrics = Die Zahlen sind für den Betreiber dieses Easel: Schick ein Token mit, als Authorization: Bearer TOKEN.
web-tries = Das waren viele falsche Tokens. Warte eine Minute und versuch es noch einmal.
web-token = Dieses Token öffnet nichts; vielleicht wurde es zurückgenommen. Wer dieses Easel betreibt, macht ein neues.
web-file = So ein Bild gibt es hier nicht.
web-nothing = Unter dieser Adresse ist nichts.
fault-web = Hier ging etwas schief, das niemand vorhergesehen hat. Der Vorfall { $incident } steht im Protokoll.
example-1 = a large red circle on a blue background
example-2 = a house by the sea at sunset
example-3 = a yellow star above a purple heart
input-line-empty = Die Zeile ist leer; schreib, was das Bild zeigt, oder einen Befehl wie /help.

## Mängel

fault-untold = Etwas ging schief, für das es noch keine Worte gibt: { $key }.
fault-incident = In Easel ging etwas schief, das niemand vorhergesehen hat. Die Einzelheiten stehen in { $file }.
fault-unexpected = Beim Malen ging etwas schief, das niemand vorhergesehen hat. Der Vorfall { $incident } steht im Protokoll.

## Der Webchat

page-name = Easel
page-skip = Zur Nachricht
page-conversation = Gespräch
page-panel = Warteschlange und Verlauf
page-queue = Warteschlange
page-queue-empty = Nichts wartet.
page-history = Verlauf
page-search = Deine Bilder durchsuchen
page-noscript = Diese Seite braucht JavaScript; die Kommandozeile malt ohne.
page-said = Das Neue der Woche
page-earlier = Früheres zeigen
page-latest = Zum Neuesten
page-empty = Was möchtest du sehen?
page-empty-how = Schreib es mit eigenen Worten. Eine Zeile, die mit / beginnt, ist ein Befehl, und -- setzt einen Wert.
page-line = Nachricht
page-placeholder = Was gemalt werden soll
page-form = Einstellungen
page-attach = Bild anhängen
page-attach-file = Datei anhängen
page-detach = Entfernen
page-send = Senden
page-offers = Vorschläge
page-offered = Vorschläge: { $count }
page-close = Schließen
page-viewer = Bild
page-download = Herunterladen
page-before = Zurück
page-after = Weiter
page-picture-at = { $n } von { $of }
page-cover = Verdecktes Bild: drücken, um es zu zeigen
page-cover-short = Verdeckt
page-cover-again = Wieder verdecken
page-sending = wird gesendet
page-kept = aufgehoben, wird gesendet, sobald es geht
page-edit = Bearbeiten
page-discard = Verwerfen
page-delete-ask = Für immer löschen?
page-delete-yes = Für immer löschen
page-delete-no = Behalten
page-progress = Fortschritt
page-offline = Offline. Was du sendest, wird aufgehoben.
page-press-away = Es gibt keine Verbindung; drück noch einmal, wenn sie wieder da ist.
page-logged-out = Du bist abgemeldet. Melde dich wieder an, um weiterzumachen.
page-broken = Die Antwort war nicht lesbar. Sende es noch einmal.
page-picture-role = Ausgangsbild
page-picture-kept = dieses bleibt, wenn du kein anderes wählst
page-picture-large = Das Bild hat { $given } MB; bis zu { $most } MB werden genommen. Eine kleinere Kopie oder ein JPEG geht.
page-picture-kind = Bilder werden als PNG, JPEG oder WebP genommen.
page-file-kind = Presets werden aus Dateien genommen, die auf .json oder .csv enden.
page-range = { $low } bis { $high }
page-drop = Lass das Bild los, um davon auszugehen
page-drop-file = Lass die Datei los, um sie hereinzunehmen
page-yes = ja
page-no = nein
page-login = Anmelden
page-login-title = Anmelden
page-login-how = Wer dieses Easel betreibt, gibt dir ein Token, gemacht mit: easel token create NAME
page-login-token = Token
page-logout = Abmelden
page-back = Zurück zum Chat

## Die Datenbank

db-folder = Der Ordner { $folder } für die Datenbank lässt sich nicht anlegen: { $reason }.
db-unusable = Die Datenbank { $database } ist nicht verwendbar: { $reason }.
db-behind = Die Tabellen sind die der älteren Revision { $current }; mach eine Sicherung, und tipp dann easel db upgrade, um sie auf { $head } zu bringen.
db-ahead = Die Tabellen sind die der Revision { $current }, die neuer ist als dieses Easel ({ $head }). Aktualisiere Easel, oder nenn eine andere Datenbank.
db-current = { $database } hat die Tabellen, die dieses Easel braucht, in Revision { $current }.
db-blank = { $database } hat noch keine Tabellen; sie entstehen, wenn Easel zum ersten Mal startet, oder mit easel db upgrade.
db-differs = { $database } hat die richtige Revision, aber ihre Tabellen weichen davon ab: { $where }. Spiel eine Sicherung zurück, oder bring sie von Hand in Ordnung.
db-moved = { GIVEN($after) ->
    [yes] { GIVEN($before) ->
        [yes] { $database } ging von Revision { $before } auf { $after }.
       *[no] { $database } hat jetzt ihre Tabellen, in Revision { $after }.
    }
   *[no] { $database } hat keine Tabellen mehr.
}
db-stayed = { GIVEN($after) ->
    [yes] { $database } ist schon auf Revision { $after }.
   *[no] { $database } hat keine Tabellen und bleibt dabei.
}
db-foreign = Die Datenbank hat Tabellen mit Easels Namen, die nicht von Easel sind. Nenn eine eigene oder eine leere Datenbank.
input-revision = Zur Revision { $given } führt kein Weg. Es gibt: { $offered }.

## Telegram

run-telegram = Telegram wird verbunden mit: { $address }
telegram-start = Ich bin { $name }, und ich male.
telegram-start-words = Schreib, was du sehen willst, zum Beispiel: a red circle on a blue background.
telegram-start-picture = Um von einem Bild auszugehen, schick es mit den Worten, oder antworte mit ihnen darauf. /help weiß mehr.
telegram-help-start = Sag hallo und wie das hier geht
telegram-ask = /{ $command }: { $help }?
telegram-picture = Antworte auf dein Bild mit den Worten für das, was daraus werden soll.
telegram-edited = Diese Nachricht wird so gemalt, wie sie war; drück „Ändern…“ unter ihrem Bild, um es zu ändern.
telegram-channel = In einem Kanal kann niemand in der Schlange stehen; frag in einer Gruppe oder in einem privaten Chat.
telegram-private = Darauf wird im privaten Chat geantwortet, und Easel darf dir dort noch nicht schreiben.
telegram-open = Chat öffnen
telegram-sent-privately = Dir privat geschickt.
telegram-gone = Diese Nachricht ist zu alt, um darin etwas zu drücken.
telegram-done = Erledigt.
telegram-nobody = Das ist nur für einen Menschen bestimmt, und hier ist nicht zu sehen, wer danach fragt; öffne den Chat und frag dort.
telegram-refused = Telegram hat das Ergebnis nicht angenommen; /history hat es.
telegram-unsaid = Telegram hat die Antwort nicht angenommen; versuch es in einer Minute wieder.
telegram-link = Der Link bittet um dies: { $line }
telegram-closed = Dort, wo du gefragt hast, konnte das nicht gezeigt werden.
telegram-no-photo = Telegram nimmt kein Bild dieser Größe; es ist im Verlauf.
telegram-unsure = Die Bilder sind vielleicht nicht angekommen: { $words }. Drück den Knopf, wenn es so ist.
telegram-broke = In Easel ging etwas schief, das niemand vorhergesehen hat. Wer es betreibt, findet es im Protokoll unter { $code }.
telegram-form-answer = Drück, was du ändern willst, oder antworte auf diese Nachricht mit neuen Worten.
telegram-form-words = Antworte auf die Nachricht mit: { $name }; in einer Antwort setzt --name wert jedes andere Feld.
telegram-form-long = Diese Einstellungen sind zu lang, um sie in Telegram zu ändern; kopier die Worte und schick sie neu.
telegram-inline-preset = Malen mit { $name }
telegram-inline-none = Noch nichts gemalt: Chat öffnen
telegram-inline-covered = Bilder sind verdeckt: Chat öffnen
button-original = Original
doctor-telegram = Telegram: Das ist { $name }, unter { $link }
doctor-telegram-privacy = Der Privatsphäremodus ist dort aus: Telegram schickt dem Bot jede Nachricht seiner Gruppen, der nur Befehle braucht. BotFather schaltet ihn mit /setprivacy ein.
doctor-telegram-webhook = Telegram bringt seine Neuigkeiten an eine andere Adresse; das Abfragen nimmt das zurück, wenn Easel startet.
doctor-telegram-refused = Telegram kennt dieses Token nicht; lass es dir von BotFather noch einmal geben und schreib es in [telegram] token.
doctor-telegram-away = Telegram war unter { $address } nicht zu erreichen: { $reason }. Sieh dir [telegram] api_base und das Netz dieses Rechners an.

## Discord

run-discord = Discord wird verbunden mit: { $address }
discord-age = Gemalt wird hier nur in altersbeschränkten Kanälen; mit /imagine geht es auch in einer Direktnachricht.
discord-broke = In Easel ging etwas schief, das niemand vorhergesehen hat. Wer es betreibt, findet es im Protokoll unter { $code }.
discord-done = Erledigt.
discord-more = { $count ->
    [one] eins mehr ist in /history
   *[other] { $count } mehr sind in /history
}
discord-pick = { $label }…
discord-below = Das Bild kommt in einer eigenen Nachricht.
discord-too-large = Discord nimmt hier kein Bild dieser Größe; es ist im Verlauf.
discord-closed = Dort, wo du gefragt hast, konnte das nicht gezeigt werden.
discord-range = { $low } bis { $high }
discord-unsure = Dein Bild ist vielleicht nicht angekommen: { $words }. Drück den Knopf, wenn es so ist.
discord-private = Darauf wird in einer Direktnachricht geantwortet, und deine sind für Easel geschlossen.
discord-no-answer = Easel darf dort nicht schreiben, wo du um ein Bild gebeten hast; ein Moderator muss es erlauben, oder frag hier.
discord-menu-source = Als Ausgangsbild nehmen
discord-menu-info = Info
discord-menu-again = Nochmal
discord-menu-none = In dieser Nachricht ist kein Bild von Easel.
discord-menu-no-picture = In dieser Nachricht ist kein Bild.
doctor-discord = Discord: Das ist { $name }. Lad es ein mit { $invite }
doctor-discord-refused = Discord kennt dieses Token nicht; kopier es noch einmal von der Bot-Seite des Entwicklerportals in [discord] token.
doctor-discord-away = Discord war unter { $address } nicht zu erreichen: { $reason }. Sieh dir [discord] api_base und das Netz dieses Rechners an.
doctor-discord-elsewhere = Discord schickt Befehle und Knopfdrücke an eine Interactions Endpoint URL und nicht an Easel; leer dieses Feld im Entwicklerportal.

## Suchen, Vergleichen, Favoriten

input-filter = Es gibt keinen Filter { $given }:; es gibt { $offered }. Um nach den Worten selbst zu suchen, lass den Doppelpunkt weg.
input-filter-empty = Hinter { $name }: steht nichts; schreib es ohne Leerzeichen, etwa { $name }:wert.
input-filter-before = before: nimmt einen Tag wie 2026-11-20 oder wie lange es her ist, etwa 7d oder 2w; du hast { $given } geschrieben.
input-beginning = Der Anfang eines Wortes braucht vor dem Stern mindestens { $least } Buchstaben; du hast { $given } geschrieben.
input-compare = Vergleichen lassen sich zwei verschiedene Bilder; nenn sie nach ihren IDs, mit einem Leerzeichen dazwischen.
form-branch = Von diesem Bild aus weitermalen
button-favourite = Favorit
button-unfavourite = Kein Favorit
button-favourites = Favoriten
button-branch = Abzweigen…
button-compare = Vergleichen
favourite-on = { GIVEN($folder) ->
    [yes] Markiert, in „{ $folder }“: { $words }
   *[no] Markiert: { $words }
}
favourite-off = Nicht mehr markiert: { $words }
compare-first = Vor diesem wurde nichts gemalt, womit es sich vergleichen ließe; nenn zwei Bilder nach ihren IDs.
compare-same = Beide wurden auf dieselbe Weise gemalt.
compare-differs = { $first } → { $second }
compare-nothing = nichts
compare-caption = Seed { $seed } · { $steps } Schritte · { $model }
history-nothing = Kein Bild, das du hier sehen darfst, passt zu „{ $words }“.
card-compared = { $status }. { $verdict }
device = { $device }, { $dtype }
compared-same = { GIVEN($changes) ->
    [yes] Identisch mit dem ersten, obwohl: { $changes }.
   *[no] Identisch mit dem ersten.
}
compared-other = { GIVEN($changes) ->
    [yes] Nicht dasselbe: { $changes }.
   *[no] Nicht dasselbe wie das erste, und nichts, was man von beiden weiß, sagt, warum.
}
compared-unknown = Wie das erste gemalt wurde, ist nicht notiert, darum lassen sich die beiden nicht vergleichen.
compared-asked = { $name } war anders verlangt
compared-model = das Modell hat sich geändert
compared-file = die Modelldatei { $name } hat sich geändert
compared-files = { $count ->
    [one] eine weitere seiner Dateien hat sich geändert
   *[other] { $count } weitere seiner Dateien haben sich geändert
}
compared-schedule = die Einstellungen des Schedulers haben sich geändert
compared-version = { $name } { $before } ist jetzt { $now }
compared-is-now = { $before } ist jetzt { $now }
compared-compiled = { $now ->
    [1] das Modell ist jetzt kompiliert
   *[other] das Modell ist nicht mehr kompiliert
}
compared-batch = es wurde in Stapeln anderer Größe gemalt
compared-memory = für eins der beiden wurde der Speicher knapp
fact-hash = Hash des Modells
fact-versions = gemalt mit
fact-device = auf
fact-compared = verglichen
fact-folders = deine Ordner

## Presets

input-preset-none = „none“ bedeutet: ohne Preset; so kann keines heißen.
input-preset-name = { $given } kann kein Name eines Presets sein; ein Name ist ein Wort aus Buchstaben, Ziffern, - und _, bis zu 32.
input-preset-unknown = { GIVEN($nearest) ->
    [yes] Hier gibt es kein Preset { $given }; meintest du { $nearest }?
   *[no] Hier gibt es kein Preset { $given }.
}
input-preset-locked = { $preset } behält sein eigenes { $name }; mach mit /preset fork { $preset } eine Kopie, um es zu ändern.
input-preset-most = { $preset } erlaubt { $name } bis { $most }.
input-preset-words = { GIVEN($slots) ->
    [yes] { $preset } nimmt keine Worte von dir, nur { $slots }.
   *[no] { $preset } nimmt keine Worte von dir.
}
input-preset-slot = { $preset } braucht { $name }; schreib /preset use { $preset } { $name }:"…".
input-preset-other = { $name } hat sich seit der Frage geändert; ruf es noch einmal auf.
button-fill = Ausfüllen…
input-preset-empty = Ein Preset braucht einen Prompt, einen negativen Prompt oder eine Einstellung.
input-preset-ceiling = { $given } ist keine Obergrenze; schreib steps=30.
input-preset-over = { $name } hat hier die Obergrenze { $most }, und der eigene Wert liegt darüber.
input-preset-row = { $given } enthält etwas, das kein Preset ist.
input-preset-taken = Du hast schon ein Preset { $name }; wähl einen anderen Namen.
input-preset-taken-there = Dort gibt es schon ein Preset { $name }; mach eine Kopie von deinem unter anderem Namen und teil die.
input-preset-elsewhere = { $name } steht schon anderswo; /preset share { $name } --off nimmt es von dort zurück.
input-presets-format = Das ist keine Datei mit Presets, die Easel kennt: das eigene JSON, styles.csv von A1111, JSON von Fooocus oder CSV von InvokeAI.
input-presets-large = Eine Datei mit Presets hat höchstens { $most } Byte.
input-presets-many = Eine Datei enthält höchstens { $most } Presets.
input-presets-nothing = Häng eine Datei mit Presets an, oder schreib ihren Inhalt hinter /preset import --text.
denied-preset = So ein Preset von dir gibt es nicht.
preset-kept = { $name } ist aufgehoben.
preset-changed = { $name } ist geändert; das ist Version { $version }.
preset-forked = { $name } gehört jetzt dir, nach { $maker }.
preset-shared = { $name } ist für alle an diesem Ort da.
preset-shared-everybody = { $name } ist für alle da.
preset-none = { GIVEN($words) ->
    [yes] Kein Preset hat „{ $words }“ im Namen, in den Stichwörtern oder im Prompt.
   *[no] Es gibt noch keine Presets; /preset save hebt eins auf.
}
preset-list = Damit kannst du malen:
preset-next = Für mehr schreib /preset list { $words } --page { $page }
preset-end = Es gibt keine Seite { $page }; die Liste endet davor.
preset-which = Welches Preset?
preset-which-here = Welches Preset? Zur Wahl stehen die, die alle hier sehen; jedes andere kannst du nennen: /preset use NAME.
preset-line = { $words } · { $maker } · { $uses ->
    [one] einmal benutzt
   *[other] { $uses }-mal benutzt
}
preset-archived = { $name } steht in keiner Liste mehr; /preset save { $name } bringt es zurück.
preset-removed = { $name } steht in keiner Liste mehr.
preset-exported = { $count ->
    [one] Ein Preset.
   *[other] { $count } Presets.
}
preset-imported = { $count ->
    [one] Ein Preset kam herein
   *[other] { $count } Presets kamen herein
}{ $refused ->
    [0] .
   *[other] ; { $refused } ließen sich nicht nehmen:
}
preset-nameless = ohne Namen
preset-shown = { $name }, Version { $version }, von { $maker }
preset-after = { $name } von { $maker }
somebody = jemand
form-preset = Als Preset aufheben
button-use = Benutzen
button-fork = Kopieren
button-archive = Ablegen
button-preset = Preset sichern…
fact-slots = Lücken
fact-locked = fest
fact-most = höchstens
fact-tags = Stichwörter
fact-after = nach
fact-revisions = Versionen
fact-uses = benutzt
fact-preset = Preset
explain-of-preset = { $value }, aus dem Preset
input-settled = Das ist so eingestellt und passt nicht mehr: { $reason } { GIVEN($here) ->
    [yes] Wer sich um diesen Ort kümmert, nimmt es mit /settings --here --without { $name } zurück.
   *[no] /settings --without { $name } nimmt es zurück.
}

## Die Pinnwand

input-share = Sag, welches Bild oder welcher Prompt geteilt werden soll, eins von beiden.
input-board-none = Hier gibt es noch keine Pinnwand; /share hängt etwas daran.
denied-share = Unter diesem Code ist nichts geteilt.
share-done = Es hängt an der Pinnwand. /use { $code } bringt es in jeden anderen Chat.
board-none = Hier hängt noch nichts an der Pinnwand; /share hängt etwas daran.
board-end = Es gibt keine Seite { $page }; die Pinnwand endet davor.
board-page = { $first } bis { $last } von { $count } an der Pinnwand.
board-line = { $words } · { $maker } · { $votes ->
    [one] gefällt 1-mal
   *[other] gefällt { $votes }-mal
} · { $uses ->
    [one] einmal benutzt
   *[other] { $uses }-mal benutzt
} · { $code }
board-pinned = 📌
like-done = { $count ->
    [0] Es gefällt jetzt niemandem.
    [one] Es gefällt einer Person.
   *[other] Es gefällt { $count } Leuten.
}
report-done = Wer sich um die Pinnwand kümmert, wird es sehen.
report-line = { $count ->
    [one] einmal gemeldet
   *[other] { $count }-mal gemeldet
}: { $line }
reports = Was gemeldet wurde; /remove CODE nimmt es von der Pinnwand, /dismiss CODE lässt es hängen.
reports-none = Nichts wurde gemeldet.
report-reasons = { $line } · Grund: { $reasons }
dismiss-done = { $count ->
    [0] Niemand hat es gemeldet.
    [one] Es bleibt an der Pinnwand; die eine Meldung ist vergessen.
   *[other] Es bleibt an der Pinnwand; die { $count } Meldungen sind vergessen.
}
pin-done = Es bleibt oben an der Pinnwand.
unpin-done = Es steht wieder zwischen den anderen.
remove-done = Es ist von der Pinnwand genommen.
button-like = Gefällt mir
button-share = Teilen
digest-on = Was neu an der Pinnwand ist, wird hier einmal in der Woche erzählt; das nächste Mal am { $next }, wenn es etwas gibt.
digest-on-yours = Was neu an den Pinnwänden der Gruppen ist, in denen du malst, wird hier einmal in der Woche erzählt; das nächste Mal am { $next }, wenn es etwas gibt.
digest-off = Was neu an der Pinnwand ist, wird hier nicht von selbst erzählt. Wer sich um diesen Ort kümmert, ändert das mit /digest on.
digest-off-yours = Was neu an den Pinnwänden der Gruppen ist, in denen du malst, wird hier nicht von selbst erzählt; /digest on ändert das.
denied-digest = Easel selbst ist nicht an diesem Ort, nur seine Befehle sind es; von selbst kann es hier nichts sagen. Lade es ein, oder tippe /digest on in deinem eigenen Gespräch mit ihm.
digest-news = { $count ->
    [one] Diese Woche wurde etwas Neues geteilt.
   *[other] Diese Woche wurde { $count }-mal etwas Neues geteilt.
}
digest-news-since = { $count ->
    [one] Seit dem { $since } wurde etwas Neues geteilt.
   *[other] Seit dem { $since } wurde { $count }-mal etwas Neues geteilt.
}
digest-best = Diese { $count } gefallen am meisten und werden am meisten benutzt.
digest-end = /digest off beendet das.
button-board = Pinnwand
group-code = In der anderen Gruppe tippt, wer sich um sie kümmert, /group link { $code }. Der Code gilt eine Stunde lang, einmal.
group-answer = Tipp jetzt /group link { $code } in der Gruppe, aus der der erste Code ist. Er gilt eine Stunde lang, einmal.
group-joined = Beide Gruppen sehen jetzt dieselbe Pinnwand; /group unlink trennt sie wieder.
group-parted = Dieser Ort hat wieder eine eigene Pinnwand. Was bisher geteilt wurde, bleibt an der, die er verlassen hat.
input-group-alone = Keine andere Gruppe sieht die Pinnwand dieses Ortes.
input-group-code = Dieser Code ist keiner, wurde benutzt oder ist zu alt; /group link gibt einen neuen.

preset-unshared = { $name } gehört wieder dir allein.

## Regeln eines Ortes

rules = Das gilt hier für Mitglieder.
rules-none = Hier ist nichts geschlossen, begrenzt oder verdeckt.
input-always-open = { $name } ist überall für alle offen.
denied-closed = /{ $name } ist hier geschlossen.
input-place-most = Hier geht { $name } bis { $most }.
fact-closed = geschlossen
fact-paints = zum Malen noch offen
fact-credits = Credits
rules-credits = { $credits } am Tag für jedes Mitglied
fact-cover = Bilder
cover-here = verdeckt, bis jemand darauf drückt
cover-everywhere = verdeckt, bis jemand darauf drückt, und zwar überall; das haben die festgelegt, die Easel betreiben

## Die Galerie

gallery-title = Galerie
gallery-chat = Chat
gallery-order = Reihenfolge
gallery-order-new = Neueste
gallery-order-used = Meistbenutzte
gallery-order-liked = Beliebteste
gallery-pages = Seiten
gallery-before = Davor
gallery-none = In den Gruppen, in denen du malst, ist noch nichts geteilt. /share hängt etwas an ihre Pinnwand.
gallery-by = { $maker } · { $votes ->
    [one] gefällt 1-mal
   *[other] gefällt { $votes }-mal
} · { $uses ->
    [one] einmal benutzt
   *[other] { $uses }-mal benutzt
}

## Hilfe zu den Befehlen, und was ihre Parameter heißen

help-imagine = Male ein Bild aus Worten.
help-again = Male einen Auftrag noch einmal, mit neuem Seed.
help-vary = Male eine Variation eines Bildes.
help-edit = Ändere einen Auftrag und male ihn neu.
help-info = Zeige alle Einstellungen eines Bildes.
help-original = Gib ein Bild als Datei, so wie es gemalt wurde.
help-delete = Lösche ein Bild von dir für immer.
help-queue = Zeige, was von dir wartet oder gemalt wird.
help-cancel = Nimm einen Auftrag zurück, der wartet oder gemalt wird.
help-move = Verschiebe einen wartenden Auftrag in deiner eigenen Reihe.
help-retry = Versuche einen gescheiterten Auftrag noch einmal, wie er war.
help-resend = Sende die Bilder eines Auftrags, die nicht ankamen, noch einmal.
help-explain = Zeige, wie ein Prompt gelesen wird und was er kostet, ohne zu malen.
help-history = Zeige deine Bilder, die neuesten zuerst.
help-settings = Zeige oder ändere, was gilt, wo du etwas weglässt.
help-settle = Ändere deine Einstellungen in einem Formular.
help-quota = Zeige, wie viele Credits du noch hast.
help-grant = Gib jemandem Credits, die bleiben, bis sie verbraucht sind; ohne Zahl zeige, was da ist.
help-pause = Halte die Aufträge dieses Ortes oder einer Person vorerst an.
help-resume = Lass die Aufträge dieses Ortes oder einer Person weitergehen.
help-help = Zeige die Befehle, oder alles über einen.
help-link = Sei eine Person auf mehreren Plattformen: Code holen, dort schreiben, hier zustimmen.
help-link-check = Zeige, wer deinen Code geschrieben hat und mit dir eine Person sein will.
help-link-join = Sei eine Person mit der, die deinen Code geschrieben hat.
help-link-no = Sei mit niemandem eine Person, und beende deinen Code.
help-unlink = Sei auf einer Plattform jemand Neues; Verlauf und Presets bleiben bei deinen anderen Namen.
help-me-export = Hol alles, was von dir aufbewahrt wird, als Datei: Aufträge, Bilder, Presets.
help-me-forget = Lass alles über dich auf allen deinen Plattformen löschen; du wirst erst gefragt.
help-forget-me = Werde vergessen, wie du gefragt wurdest.
param-link-code = Der Code, den du auf der anderen Plattform bekommen hast
param-platform = Welche Plattform du verlässt; ohne Angabe die, auf der du schreibst
param-link-join-person = Wer, nach seiner ID
param-forget-me-person = Wer, nach seiner ID
param-until = Bis wann dem zugestimmt werden kann, in Sekunden der Uhr
param-prompt = Was gemalt werden soll, in Worten
param-negative = Was nicht gemalt werden soll
param-image = Ein Bild, von dem es ausgeht
param-strength = Wie viel von diesem Bild neu gemalt wird
param-size = Breite und Höhe wie 768x512, oder ein Format wie 16:9
param-steps = Schritte beim Entrauschen; mehr dauert länger
param-guidance = Wie genau den Worten gefolgt wird
param-scheduler = Wie die Schritte gegangen werden, etwa euler a
param-seed = Derselbe Seed wiederholt ein Bild
param-count = Wie viele Bilder
param-model = Welches Modell malt
param-job = Welcher Auftrag, nach seiner ID
param-same = Auch derselbe Seed, für dasselbe Bild
param-picture = Welches Bild, nach seiner ID
param-without = Einstellungen, die zurückgenommen werden: Namen, mit Kommas dazwischen
param-words = Worte, nach denen gesucht wird
param-page = Welche Seite
param-way = Wohin in deiner eigenen Reihe; nach vorn, wenn nichts gesagt wird
param-language = Die Sprache, die Easel spricht
param-here = Für alle an diesem Ort, wenn du dich um ihn kümmerst
param-person = Wer: ein Name, eine ID oder plattform:id; niemand heißt dieser Ort
param-grant-person = Wer: ein Name, eine ID oder plattform:id
param-credits = Wie viele Credits; weniger als null nimmt welche zurück
param-command = Ein Befehl, über den du mehr wissen willst
help-branch = Male von einem Bild aus weiter: Was du nicht änderst, bleibt, auch sein Seed.
help-preset-use = Male mit einem Preset: erst sein Name, dann deine Worte.
help-preset-list = Zeige die Presets, mit denen du malen kannst, die meistbenutzten zuerst.
help-preset-show = Zeige, was ein Preset ist; name@2 zeigt eine frühere Version.
help-preset-save = Heb einen Prompt oder die Einstellungen eines Bildes unter einem Namen auf.
help-preset-keep = Heb die Einstellungen eines Bildes auf; ein Formular fragt nach dem Namen.
help-fill = Male mit einem Preset, nach dessen Lücken ein Formular fragt.
param-fill-version = Welche Fassung des Presets
param-fill-asks = Nach welchen Lücken gefragt wird, je ein Buchstabe
param-fill-words = Deine eigenen Worte
param-fill-slot-1 = Was dort im Prompt steht
param-fill-slot-2 = Was dort im Prompt steht
param-fill-slot-3 = Was dort im Prompt steht
param-fill-slot-4 = Was dort im Prompt steht
param-fill-slot-5 = Was dort im Prompt steht
help-preset-edit = Ändere ein Preset von dir; Bilder behalten die Version, mit der sie entstanden.
help-preset-fork = Mach eine Kopie eines Presets, um sie nach Belieben zu ändern.
help-preset-share = Zeige ein Preset von dir diesem Ort oder allen.
help-preset-delete = Nimm ein Preset aus allen Listen; Bilder, die damit gemalt sind, bleiben.
help-preset-export = Hol deine Presets, oder eins, das du sehen kannst, als Datei.
help-preset-import = Nimm Presets aus einer Datei von Easel, A1111, Fooocus oder InvokeAI herein.
help-share = Häng ein Bild von dir oder einen Prompt an die Pinnwand dieses Ortes.
help-board = Zeige die Pinnwand dieses Ortes: Neues, Benutztes oder Beliebtes zuerst.
help-use = Male, was jemand geteilt hat, mit neuem Seed; deine Worte können dem Code folgen.
help-like = Sag, dass dir etwas Geteiltes gefällt; noch einmal nimmt es zurück.
help-keep = Heb auf, was jemand geteilt hat, als ein Preset von dir.
help-report = Melde denen, die sich kümmern, dass etwas nicht an diese Pinnwand gehört.
help-reports = Zeige, was an der Pinnwand dieses Ortes gemeldet wurde.
help-dismiss = Lass hängen, was gemeldet wurde: Die Meldungen werden vergessen.
help-pin = Halte etwas oben an der Pinnwand dieses Ortes, oder nicht mehr.
help-remove = Nimm von der Pinnwand, was du geteilt hast, oder alles, wo du dich um den Ort kümmerst.
help-digest = Lass Neues von der Pinnwand hier wöchentlich erzählen; privat das aller deiner Gruppen.
help-group-link = Teilt eine Pinnwand mit einer anderen Gruppe, hier oder auf einer anderen Plattform.
help-group-unlink = Gib diesem Ort wieder eine eigene Pinnwand; was geteilt wurde, bleibt an der alten.
help-favourite = Markiere ein Bild zum Wiederfinden; nochmal nimmt die Marke weg oder wechselt den Ordner.
help-compare = Zeige zwei Bilder nebeneinander, und worin sich unterscheidet, wie sie gemalt wurden.
param-branch-prompt = Was stattdessen gemalt werden soll, in Worten
param-branch-without = Einstellungen des Auftrags, die das Modell wählt: Namen, mit Kommas dazwischen
param-preset-prompt = Der Prompt, mit Lücken wie {"{"}title{"}"} oder {"{"}title=a cat{"}"}
param-share-prompt = Ein Prompt, der allein geteilt wird, ohne Bild
param-preset-save-picture = Ein Bild von dir, von dem alles übernommen wird, nach seiner ID
param-preset-edit-picture = Ein Bild von dir, von dem alles übernommen wird, nach seiner ID
param-share-picture = Ein Bild von dir, das geteilt wird, nach seiner ID
param-preset = Ein Preset, mit dem gemalt wird, nach seinem Namen
param-preset-preset = Welches Preset, nach seinem Namen
param-preset-use-words = Worte dafür: lücke:wert, oder etwas anderes
param-preset-use-preset = Sein Name, und Worte dafür: lücke:wert, oder etwas anderes
param-preset-export-preset = Ein Preset, mit dem gemalt wird, nach seinem Namen
param-name = Wie es heißen soll
param-preset-save-name = Ein Name aus einem Wort; der Prompt darf ihm folgen
param-preset-edit-name = Ein Name aus einem Wort; der Prompt darf ihm folgen
param-lock = Was niemand ändern darf: Namen, mit Kommas dazwischen
param-most = Das Meiste, was andere setzen dürfen, etwa steps=30, count=2
param-tags = Worte, unter denen es zu finden ist, mit Kommas dazwischen
param-everybody = Für alle, die Easel hier nutzen, nicht nur für diesen Ort
param-format = Für welches Programm; easel behält alles
param-text = Der Inhalt einer solchen Datei
param-file = Eine Datei mit Presets: von Easel, A1111, Fooocus oder InvokeAI
param-order = Was zuerst kommt; Neues, wenn nichts gesagt wird
param-code = Was geteilt wurde, nach seinem Code
param-use-code = Der Code des Geteilten; Worte dürfen ihm folgen
param-group-link-code = Der Code, den die andere Gruppe bekommen hat
param-switch = Ob es erzählt wird; ohne Angabe siehst du, wie es jetzt ist
param-reason = Warum es nicht dorthin gehört
param-off = Nimm es zurück
param-folder = Ein Ordner, in dem es liegen soll
param-pictures = Welches Bild, oder welche zwei, nach ihren IDs
param-edit-prompt = Was stattdessen gemalt werden soll, in Worten
param-edit-without = Einstellungen des Auftrags, die das Modell wählt: Namen, mit Kommas dazwischen
help-rules = Zeige, worum Mitglieder hier bitten dürfen; wer sich um den Ort kümmert, ändert das.
param-rules-most = Das Meiste, was hier verlangt werden darf, etwa steps=30, count=2
param-rules-credits = Die meisten Credits, die jedes Mitglied hier an einem Tag verbrauchen darf
param-cover = Ob Bilder hier verdeckt sind, bis jemand darauf drückt
param-closed = Befehle, die Mitglieder hier nicht benutzen dürfen, mit Kommas dazwischen
