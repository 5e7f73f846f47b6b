# Alle Texte für Nutzer auf Deutsch; was gemeint ist, sagt en.ftl. Kurz, freundlich, genau; wir duzen.
# Hilfe und Beschreibungen der Befehle (help-, param-) stehen auf Englisch in ihren Deklarationen und nur hier auf Deutsch.

## Konfiguration

config-unknown = { GIVEN($nearest) ->
    [yes] Die Einstellung { $key } gibt es nicht; meintest du { $nearest }?
   *[no] Die Einstellung { $key } gibt es nicht. In config.example.toml stehen alle.
}
config-missing = { $key } fehlt.
config-whole = { $key } muss eine ganze Zahl sein, ist aber { $given }.
config-number = { $key } muss eine Zahl sein, ist aber { $given }.
config-yes-no = { $key } muss true oder false sein, ist aber { $given }.
config-text = { $key } muss Text in Anführungszeichen sein, ist aber { $given }.
config-list = { $key } muss eine Liste von Texten wie ["auto"] sein, ist aber { $given }.
config-choice = { $key } muss { $expected } sein, ist aber { $given }.
config-least = { $key } muss mindestens { $ge } sein, ist aber { $given }.
config-most = { $key } darf höchstens { $le } sein, ist aber { $given }.
config-webhook = { $key } mit mode = "webhook" braucht auch webhook_url und webhook_secret.
config-address = { $key } muss eine Adresse wie https://example.org/api sein, ist aber { $given }.
config-long = { $key } ist zu lang.
config-empty = { $key } darf nicht leer sein.
config-time-zone = { $key } muss eine Zeitzone wie "Europe/Berlin" sein, ist aber { $given }.
config-section = { $key } muss ein Abschnitt mit eigenen Schlüsseln sein, ist aber { $given }.
config-value = { $given } ist kein gültiger Wert für { $key }.
config-file-missing = Die Datei { $file } gibt es nicht.
config-file-unreadable = Die Datei { $file } lässt sich nicht lesen: { $reason }.
config-file-broken = { $file } ist kein gültiges TOML: { $reason }.
config-store = [store] url ist ungültig; schreibe sqlite+aiosqlite:///DATEI oder postgresql+psycopg://BENUTZER:PASSWORT@HOST/NAME (unterstützt: { $offered }).
config-files = [files] url ist ungültig ({ $reason }); schreibe einen Ordner wie data/files oder eine Adresse wie s3://bucket/easel.

## Was Nutzer schreiben und anhängen

input-prompt-long = Ein Prompt darf höchstens { $most } Zeichen haben; dieser hat { $given }.
input-prompt-deep = Klammern dürfen höchstens { $most }-fach verschachtelt sein; schreibe das Gewicht in ein einziges Paar, zum Beispiel (word:1.5).
input-size = Schreibe die Größe wie 768x512; du hast { $given } angegeben.
input-strength-alone = Die Stärke wirkt nur mit einem Ausgangsbild. Hänge eins an oder lass die Stärke weg.
input-file-missing = Die Datei { $file } gibt es nicht.
input-file-unreadable = Die Datei { $file } lässt sich nicht lesen.
words-unknown = { $count ->
    [one] Das Modell { $model } kennt das Wort { $words } nicht. Es kennt zum Beispiel { $known }.
   *[other] Das Modell { $model } kennt die Wörter { $words } nicht. Es kennt zum Beispiel { $known }.
}

## Befehle und ihre Parameter

input-command = { GIVEN($nearest) ->
    [yes] Den Befehl /{ $given } gibt es nicht; meintest du /{ $nearest }?
   *[no] Den Befehl /{ $given } gibt es nicht; /help zeigt alle.
}
input-parameter = { GIVEN($nearest) ->
    [yes] /{ $command } hat keine Option { $given }; meintest du { $nearest }?
   *[no] /{ $command } hat keine Option { $given }; /help { $command } zeigt alle.
}
input-missing = Bei /{ $command } fehlt noch { $name }: { $help }.
input-long = { $name } darf höchstens { $most } Zeichen haben; hier sind es { $given }.
input-choice = Für { $name } sind möglich: { $offered }. Du hast { $given } angegeben.
input-range = { GIVEN($low) ->
    [yes] { GIVEN($high) ->
        [yes] { $name } muss zwischen { $low } und { $high } liegen; du hast { $given } angegeben.
       *[no] { $name } muss mindestens { $low } sein; du hast { $given } angegeben.
    }
   *[no] { $name } darf höchstens { $high } sein; du hast { $given } angegeben.
}
input-number = { $whole ->
    [yes] { GIVEN($low) ->
        [yes] { $name } muss eine ganze Zahl von { $low } bis { $high } sein; du hast { $given } angegeben.
       *[no] { $name } muss eine ganze Zahl sein; du hast { $given } angegeben.
    }
   *[no] { GIVEN($low) ->
        [yes] { $name } muss eine Zahl von { $low } bis { $high } sein; du hast { $given } angegeben.
       *[no] { $name } muss eine Zahl sein; du hast { $given } angegeben.
    }
}
input-yes-no = Für { $name } sind nur yes und no möglich; du hast { $given } angegeben.
input-value = { $given } ist kein gültiger Wert für { $name }: { $help }.
input-shape = Schreibe das Seitenverhältnis wie 16:9, höchstens { $most }:1 oder 1:{ $most }; du hast { $given } angegeben.
input-prompt-empty = Der Prompt ist leer. Beschreibe, was das Bild zeigen soll.
input-picture-none = /{ $command } nimmt kein Bild an; lass es weg oder verwende es mit /imagine als Ausgangsbild.
input-two-pictures =
    { $most ->
        [one] /{ $command } nimmt nur ein Bild an, und hier sind mehr; lass alle bis auf eins weg.
       *[other] /{ $command } nimmt höchstens { $most } Bilder an, und hier sind mehr; lass die übrigen weg.
    }
input-filter = Den Filter { $given }: gibt es nicht; möglich sind { $offered }. Wenn du nach dem Wort selbst suchst, lass den Doppelpunkt weg.
input-filter-empty = Nach { $name }: fehlt der Wert; schreibe ihn ohne Leerzeichen, zum Beispiel { $name }:wert.
input-filter-before = Nach before: gehört ein Datum wie 2026-11-20 oder ein Zeitraum wie 7d oder 2w; du hast { $given } angegeben.
input-beginning = Vor dem Sternchen müssen mindestens { $least } Buchstaben stehen; du hast { $given } angegeben.
input-compare = Du kannst zwei verschiedene Bilder vergleichen; gib ihre IDs mit einem Leerzeichen dazwischen an.
input-twice = { $name } ist doppelt angegeben; gib es nur einmal an.
input-words = /{ $command } nimmt keinen Text an; du hast { $given } geschrieben.
input-picture-unknown = { $given } ist weder ein Link noch die ID eines deiner Bilder. Hänge das Bild an oder kopiere die ID aus „Info“.
input-form-old = Das Formular ist abgelaufen; wähle das Bild noch einmal aus.
input-picture-fetch = Das Bild ließ sich nicht laden; sende es noch einmal.
input-picture-gone = Das Ausgangsbild wurde gelöscht; hänge es noch einmal an.
input-image-missing = Im Prompt steht {"{"}image{"}"}, aber es ist kein Bild dabei; hänge eins an oder schreibe {"{"}image:LINK{"}"}.
input-links-off = Links zu Bildern sind hier nicht erlaubt; hänge das Bild selbst an.
input-button = Dieser Button stammt aus einer anderen Version von Easel; gib den Befehl stattdessen ein.
denied-job = Diesen Auftrag gibt es nicht, oder du hast keinen Zugriff darauf.
denied-picture = Dieses Bild gibt es nicht, oder du hast keinen Zugriff darauf.
denied-moderators = Das dürfen hier nur Moderatoren.
denied-operators = Das darf nur der Betreiber von Easel.
denied-cover = Bilder sind überall verdeckt. Das hat der Betreiber festgelegt; einzelne Chats können es nicht ändern.
denied-form = Das ist das Formular von jemand anderem; öffne über denselben Button dein eigenes.
denied-channel = Easel erkennt nicht, wer im Namen eines Kanals schreibt; schreibe mit deinem eigenen Konto.
input-person = Den Nutzer { $given } kennt Easel nicht; gib einen Namen, eine ID oder plattform:id an.
input-person-name = { $given } ist ein frei gewählter Name; gib stattdessen die ID an: { $id }.
input-person-several = Mehrere Nutzer heißen { $given }; gib eine ID oder plattform:id an.
denied-uploads = Du hast in den letzten 24 Stunden zu viele Bilder hochgeladen: bis zu { $most } MB werden angenommen. Nimm ein Bild, das du schon hochgeladen hast, oder versuche es später noch einmal.
denied-disk = Gerade ist kein Speicherplatz für neue Bilder frei; der Betreiber muss erst welchen schaffen.
denied-open = { $most ->
    [one] Du kannst nur { $most } offenen Auftrag haben; versuche es wieder, wenn er fertig ist.
   *[other] Du kannst höchstens { $most } offene Aufträge haben; versuche es wieder, wenn einer fertig ist.
}
denied-credits = { $cost ->
    [one] Das kostet { $cost } Credit, du hast aber nur noch { $left }; morgen hast du wieder { $most }.
   *[other] Das kostet { $cost } Credits, du hast aber nur noch { $left }; morgen hast du wieder { $most }.
}
denied-credits-day = { $cost ->
    [one] Das kostet { $cost } Credit, dein Tageslimit ist { $most }; weniger Bilder, weniger Schritte oder eine kleinere Größe kosten weniger.
   *[other] Das kostet { $cost } Credits, dein Tageslimit ist { $most }; weniger Bilder, weniger Schritte oder eine kleinere Größe kosten weniger.
}
denied-credits-place = { $cost ->
    [one] Das kostet { $cost } Credit, in diesem Chat sind aber nur noch { $left } übrig; morgen sind es wieder { $most }.
   *[other] Das kostet { $cost } Credits, in diesem Chat sind aber nur noch { $left } übrig; morgen sind es wieder { $most }.
}
denied-credits-here = { $cost ->
    [one] Das kostet { $cost } Credit. In diesem Chat hat jeder { $most } am Tag; du hast heute noch { $left }.
   *[other] Das kostet { $cost } Credits. In diesem Chat hat jeder { $most } am Tag; du hast heute noch { $left }.
}

## Aufträge

card-starting = fängt gleich an
card-next = als Nächstes dran
card-waiting = an { $place } Stelle der Warteschlange
card-waiting-time = { $place }, noch etwa { $time }
card-paused = von einem Moderator angehalten
card-cancelled = abgebrochen
card-failed = Das hat nicht geklappt.
card-deleted = gelöscht
button-again = Nochmal
button-cancel = Abbrechen
button-vary = Variieren
button-edit = Ändern…
form-edit = Ändern und neu malen
form-branch = Bild weiterentwickeln
button-info = Info
button-favourite = Favorit
button-unfavourite = Favorit entfernen
button-favourites = Favoriten
button-branch = Weiterentwickeln…
button-compare = Vergleichen
button-resend = Noch einmal senden
button-own = Eigenes Bild malen
button-delete = Löschen
button-more = Mehr
button-first = Nach vorn
button-retry = Noch einmal versuchen
queue-empty = Du hast keine offenen Aufträge.
queue-open = { $count ->
    [one] Du hast { $count } offenen Auftrag.
   *[other] Du hast { $count } offene Aufträge.
}
queue-running = wird gemalt
cancel-done = Abgebrochen: { $words }
cancel-late = Dieser Auftrag ist schon zu Ende und lässt sich nicht mehr abbrechen.
move-done = Verschoben: { $words }
move-not = Dieser Auftrag lässt sich nicht dorthin verschieben: Er wartet nicht oder steht schon dort.
retry-done = Wieder in der Warteschlange: { $words }
retry-not = Dieser Auftrag ist nicht fehlgeschlagen; es gibt nichts zu wiederholen.
resend-done = Wird noch einmal gesendet: { $words }
resend-not = Das ist schon angekommen oder noch unterwegs.
quota-none = Für dich gibt es kein Limit.
quota-some = Deine Credits. Um Mitternacht ({ $zone }) gibt es neue.
quota-left = noch { $left } von { $most }
fact-today = heute
fact-here = du, in diesem Chat
fact-place = alle, in diesem Chat
fact-granted = zusätzlich
grant-done = { $extra ->
    [one] { $name } hat jetzt { $extra } zusätzlichen Credit.
   *[other] { $name } hat jetzt { $extra } zusätzliche Credits.
}
pause-place = In diesem Chat angehalten: { $count ->
    [one] { $count } Auftrag
   *[other] { $count } Aufträge
} und alle neuen.
resume-place = In diesem Chat fortgesetzt: { $count ->
    [one] { $count } Auftrag
   *[other] { $count } Aufträge
}.
pause-person = Für { $name } angehalten: { $count ->
    [one] { $count } Auftrag
   *[other] { $count } Aufträge
} und alle neuen.
resume-person = Für { $name } fortgesetzt: { $count ->
    [one] { $count } Auftrag
   *[other] { $count } Aufträge
}.
delete-done = Gelöscht: { $words }
favourite-on = { GIVEN($folder) ->
    [yes] Zu den Favoriten hinzugefügt, Ordner „{ $folder }“: { $words }
   *[no] Zu den Favoriten hinzugefügt: { $words }
}
favourite-off = Aus den Favoriten entfernt: { $words }
compare-first = Es gibt kein früheres Bild zum Vergleichen; gib die IDs von zwei Bildern an.
compare-same = Beide Bilder haben dieselben Einstellungen.
compare-differs = { $first } → { $second }
compare-nothing = nicht gesetzt
compare-caption = Seed { $seed } · Schritte: { $steps } · { $model }
history-page = { GIVEN($words) ->
    [yes] { $count ->
        [1] 1 Bild passt zu „{ $words }“.
       *[other] { $first } bis { $last } von { $count } Bildern zu „{ $words }“.
    }
   *[no] { $count ->
        [1] Du hast 1 Bild.
       *[other] { $first } bis { $last } von { $count } Bildern.
    }
}
history-next = Weitere Bilder: /history { $words } --page { $page }
history-none = { GIVEN($words) ->
    [yes] Keins deiner Bilder hat „{ $words }“ im Prompt.
   *[no] Du hast noch keine Bilder; schreibe, was du sehen möchtest.
}
history-nothing = Keins der Bilder, die du hier sehen kannst, passt zu „{ $words }“.
history-end = Seite { $page } gibt es nicht; deine { $count } Bilder stehen auf den Seiten davor.
card-compared = { $status }. { $verdict }
device = { $device }, { $dtype }
compared-same = { GIVEN($changes) ->
    [yes] Identisch mit dem Original, trotz Änderungen: { $changes }.
   *[no] Identisch mit dem Original.
}
compared-other = { GIVEN($changes) ->
    [yes] Nicht identisch mit dem Original: { $changes }.
   *[no] Nicht identisch mit dem Original; Easel kann nicht erkennen, warum.
}
compared-unknown = Wie das Original gemalt wurde, ist nicht gespeichert; deshalb ist kein Vergleich möglich.
compared-asked = { $name } war anders eingestellt
compared-model = das Modell hat sich geändert
compared-file = die Modelldatei { $name } hat sich geändert
compared-files = { $count ->
    [one] eine weitere Modelldatei hat sich geändert
   *[other] { $count } weitere Modelldateien haben sich geändert
}
compared-schedule = die Einstellungen des Schedulers haben sich geändert
compared-version = { $name } { $now } statt { $before }
compared-is-now = { $now } statt { $before }
compared-compiled = { $now ->
    [1] das Modell ist jetzt kompiliert
   *[other] das Modell ist nicht mehr kompiliert
}
compared-memory = bei einem der beiden war der Speicher knapp
compared-batch = die Batchgröße war anders
job-unreadable = Dieser Auftrag stammt aus einer anderen Version von Easel und lässt sich nicht lesen; sende den Prompt noch einmal.
job-poison = Dieser Auftrag ist { $attempts }-mal fehlgeschlagen und wird nicht mehr wiederholt. Versuche es mit einem kleineren Bild oder einem anderen Prompt.

## Angaben zu einem Bild

fact-prompt = Prompt
fact-negative = negativ
fact-drawn = Zufallswahl
fact-model = Modell
fact-size = Größe
fact-seed = Seed
fact-steps = Schritte
fact-guidance = Guidance
fact-scheduler = Scheduler
fact-strength = Stärke
fact-count = Bilder
fact-smaller = kleiner, wenn der Speicher nicht reicht
fact-yes = ja
fact-cost = Kosten
fact-painted = gemalt
fact-seconds = Dauer
fact-hash = Modell-Hash
fact-versions = Software
fact-device = Gerät
fact-compared = Vergleich
fact-id = ID
fact-folders = deine Ordner
size = { $width } × { $height }
number = { $amount }
ordinal = { $place }.
time-moment = { $day }.{ $month }.{ $year }, { $time } UTC

## Hilfe und Erklärung

help-all = Beschreibe ein Bild oder verwende einen Befehl. /help NAME erklärt einen davon.
help-one = { $usage }: { $help }
about-flag = Option
about-needed = erforderlich
about-choices = möglich: { $offered }
about-picture = als Anhang, Link oder ID eines deiner Bilder
about-yes-no = yes oder no
about-such = zum Beispiel { $offered }
about-also = auch { $names }
about-default = Standard: { $default }
about-range = { $low } bis { $high }
about-least = mindestens { $low }
about-most = höchstens { $high }
docs-commands = Befehle
docs-commands-intro = Aus den Deklarationen in bot/commands erzeugt, mit python -m bot.commands.reference > docs/commands.md; eine Zeile ohne Befehl ist ein Prompt für /imagine.
docs-flags = Optionen
docs-flags-intro = Alles außer dem Prompt selbst gibst du mit Optionen an, in beliebiger Reihenfolge.
docs-prompts = Prompts
docs-prompts-intro = Ein Prompt hat bis zu { $most } Zeichen; eine Nachricht kann bis zu { $several } Prompts enthalten.
docs-history = Suchen
docs-history-intro = /history nimmt Wörter und Filter in beliebiger Reihenfolge; ein Wert mit Leerzeichen steht in Anführungszeichen.
docs-write = du schreibst
docs-means = Bedeutung
input-preset-none = „none“ steht für „ohne Preset“; wähle einen anderen Namen.
input-preset-name = { $given } ist kein gültiger Name für ein Preset; erlaubt ist ein Wort aus bis zu 32 Buchstaben, Ziffern, - und _.
input-preset-unknown = { GIVEN($nearest) ->
    [yes] Das Preset „{ $given }“ gibt es hier nicht; meintest du „{ $nearest }“?
   *[no] Das Preset „{ $given }“ gibt es hier nicht. /preset list zeigt alle, die du verwenden kannst.
}
input-preset-locked = „{ $preset }“ legt { $name } fest; kopiere das Preset mit /preset fork { $preset }, um das zu ändern.
input-preset-most = „{ $preset }“ erlaubt für { $name } höchstens { $most }.
input-preset-words = { GIVEN($slots) ->
    [yes] „{ $preset }“ nimmt keinen freien Text an, nur { $slots }.
   *[no] „{ $preset }“ nimmt keinen freien Text an.
}
input-preset-slot = Für „{ $preset }“ fehlt { $name }; schreibe /preset use { $preset } { $name }:"…".
input-preset-other = „{ $name }“ wurde geändert, während das Formular offen war; öffne es noch einmal.
button-fill = Ausfüllen…
input-preset-empty = Ein Preset braucht einen Prompt, einen negativen Prompt oder eine Einstellung.
input-preset-ceiling = { $given } ist kein Limit; schreibe zum Beispiel steps=30.
input-preset-over = Der Wert des Presets für { $name } liegt über seinem Limit von { $most }; senke den Wert oder erhöhe das Limit.
input-preset-row = { $given } enthält etwas, das kein Preset ist.
input-preset-taken = Du hast schon ein Preset „{ $name }“; wähle einen anderen Namen.
input-preset-taken-there = Dort gibt es schon ein Preset „{ $name }“; kopiere deins unter einem anderen Namen und teile die Kopie.
input-preset-elsewhere = „{ $name }“ ist schon in einem anderen Chat geteilt; hebe das zuerst mit /preset share { $name } --off auf.
input-presets-format = Dieses Dateiformat kennt Easel nicht. Es liest Presets als eigenes JSON, styles.csv von A1111, JSON von Fooocus und CSV von InvokeAI.
input-presets-large = Eine Preset-Datei darf höchstens { $most } Byte groß sein.
input-presets-many = Eine Preset-Datei darf höchstens { $most } Presets enthalten.
input-presets-lines = Eine Preset-Datei darf höchstens { $most } Zeilen haben.
input-preset-quote = In der Zeile von „{ $given }“ wird ein Anführungszeichen nicht geschlossen. Schließ es, oder schreib in einer Zelle zwei für eines.
input-presets-nothing = Hänge eine Preset-Datei an oder schreibe ihren Inhalt hinter /preset import --text.
denied-preset = Du hast kein solches Preset. /preset list zeigt alle, die du verwenden kannst.
preset-kept = Preset „{ $name }“ gespeichert.
preset-changed = Preset „{ $name }“ geändert; das ist Version { $version }.
preset-forked = Als „{ $name }“ in deine Presets kopiert (Vorlage von { $maker }).
preset-shared = Alle in diesem Chat können „{ $name }“ jetzt verwenden.
preset-unshared = „{ $name }“ ist jetzt wieder privat.
preset-shared-everybody = Alle Nutzer können „{ $name }“ jetzt verwenden.
preset-none = { GIVEN($words) ->
    [yes] Kein Preset enthält „{ $words }“ im Namen, in den Tags oder im Prompt.
   *[no] Es gibt noch keine Presets; /preset save speichert eins.
}
preset-list = Mit diesen Presets kannst du malen:
preset-next = Weitere Presets: /preset list { $words } --page { $page }
preset-end = Seite { $page } gibt es nicht; die Liste ist kürzer.
preset-which = Welches Preset?
preset-which-here = Welches Preset? Diese sind hier geteilt; für jedes andere gib /preset use NAME ein.
preset-line = { $words } · { $maker } · { $uses ->
    [one] einmal verwendet
   *[other] { $uses }-mal verwendet
}
preset-archived = „{ $name }“ ist archiviert. /preset save { $name } stellt es wieder her.
preset-removed = „{ $name }“ ist archiviert.
preset-exported = { $count ->
    [one] Ein Preset exportiert.
   *[other] { $count } Presets exportiert.
}
preset-imported = { $count ->
    [one] Ein Preset importiert
   *[other] { $count } Presets importiert
}{ $refused ->
    [0] .
   *[other] ; nicht importiert: { $refused }.
}
preset-nameless = ohne Namen
preset-shown = { $name }, Version { $version }, von { $maker }
preset-after = { $name } von { $maker }
somebody = jemand
form-preset = Als Preset speichern
button-use = Verwenden
button-fork = Kopieren
button-archive = Archivieren
button-preset = Preset speichern…
fact-slots = Platzhalter
fact-locked = gesperrt
fact-most = Limits
fact-tags = Tags
fact-after = Vorlage
fact-revisions = Versionen
fact-uses = Verwendungen
explain-of-preset = { $value } (aus dem Preset)
input-settled = Eine gespeicherte Vorgabe passt nicht mehr: { $reason } { GIVEN($here) ->
    [yes] Ein Moderator kann sie mit /settings --here --without { $name } zurücksetzen.
   *[no] Setze sie mit /settings --without { $name } zurück.
}
fact-preset = Preset
input-share = Gib an, was du teilen willst: entweder ein Bild oder einen Prompt.
input-board-none = Dieser Chat hat noch keine Pinnwand; mit /share kommt der erste Beitrag daran.
denied-share = Unter diesem Code ist nichts geteilt. Prüfe den Code.
share-done = An der Pinnwand geteilt. /use { $code } malt es in jedem Chat.
board-none = Die Pinnwand ist leer; mit /share kommt etwas daran.
board-end = Seite { $page } gibt es nicht; die Pinnwand hat weniger Seiten.
board-page = { $count ->
    [1] 1 Beitrag an der Pinnwand.
   *[other] { $first } bis { $last } von { $count } Beiträgen an der Pinnwand.
}
board-line = { $words } · { $maker } · { $votes ->
    [one] 1 Like
   *[other] { $votes } Likes
} · { $uses ->
    [one] einmal verwendet
   *[other] { $uses }-mal verwendet
} · { $code }
board-pinned = 📌
like-done = { $count ->
    [0] Gefällt jetzt niemandem mehr.
    [one] Gefällt einer Person.
   *[other] Gefällt { $count } Personen.
}
report-done = Gemeldet. Die Moderatoren der Pinnwand sehen es sich an.
report-line = { $count ->
    [one] einmal gemeldet
   *[other] { $count }-mal gemeldet
}: { $line }
reports = Gemeldete Beiträge; /remove CODE entfernt einen von der Pinnwand, /dismiss CODE lässt ihn hängen.
reports-none = Es liegen keine Meldungen vor.
report-reasons = { $line } · Grund: { $reasons }
dismiss-done = { $count ->
    [0] Dieser Beitrag war nicht gemeldet.
    [one] Der Beitrag bleibt an der Pinnwand; die Meldung ist verworfen.
   *[other] Der Beitrag bleibt an der Pinnwand; die { $count } Meldungen sind verworfen.
}
pin-done = Oben an der Pinnwand angeheftet.
unpin-done = Nicht mehr angeheftet.
remove-done = Von der Pinnwand entfernt.
button-like = Gefällt mir
button-share = Teilen
rules = Regeln für Mitglieder in diesem Chat:
rules-none = In diesem Chat gibt es keine Regeln: Kein Befehl ist gesperrt, nichts ist begrenzt oder verdeckt.
input-always-open = /{ $name } steht immer allen offen und lässt sich nicht sperren.
denied-closed = /{ $name } ist in diesem Chat gesperrt.
input-place-most = In diesem Chat darf { $name } höchstens { $most } sein.
fact-closed = gesperrte Befehle
fact-paints = Malen weiter möglich mit
fact-credits = Credits
rules-credits = { $credits } am Tag für jedes Mitglied
fact-cover = Bilder
cover-here = verdeckt, bis man darauf tippt
cover-everywhere = überall verdeckt, bis man darauf tippt (vom Betreiber festgelegt)
digest-on = Die Wochenübersicht ist an. Die nächste kommt am { $next }, falls es Neues gibt.
digest-on-yours = Die Wochenübersicht deiner Gruppen ist an. Die nächste kommt am { $next }, falls es Neues gibt.
digest-off = Die Wochenübersicht ist aus. Moderatoren können sie mit /digest on einschalten.
digest-off-yours = Die Wochenübersicht deiner Gruppen ist aus. Mit /digest on schaltest du sie ein.
denied-digest = Easel ist kein Mitglied dieses Chats und kann hier keine Wochenübersicht posten. Lade es ein oder gib /digest on im privaten Chat mit Easel ein.
digest-news = { $count ->
    [one] Diese Woche wurde ein neuer Beitrag geteilt.
   *[other] Diese Woche wurden { $count } neue Beiträge geteilt.
}
digest-news-since = { $count ->
    [one] Seit dem { $since } wurde ein neuer Beitrag geteilt.
   *[other] Seit dem { $since } wurden { $count } neue Beiträge geteilt.
}
digest-best = Hier sind die { $count } beliebtesten.
digest-end = Mit /digest off schaltest du die Wochenübersicht aus.
button-board = Pinnwand
group-code = In der anderen Gruppe muss ein Moderator /group link { $code } eingeben. Der Code gilt eine Stunde lang und nur einmal.
group-answer = Gib jetzt in der Gruppe, aus der der erste Code stammt, /group link { $code } ein. Der Code gilt eine Stunde lang und nur einmal.
group-joined = Beide Gruppen teilen sich jetzt eine Pinnwand; /group unlink trennt sie wieder.
group-parted = Dieser Chat hat wieder eine eigene Pinnwand. Bisherige Beiträge bleiben an der gemeinsamen.
input-group-alone = Dieser Chat teilt seine Pinnwand mit keiner anderen Gruppe.
input-group-code = Der Code ist ungültig oder abgelaufen; /group link erstellt einen neuen.
gallery-title = Galerie
gallery-chat = Chat
gallery-order = Sortierung
gallery-order-new = Neueste
gallery-order-used = Meistverwendet
gallery-order-liked = Beliebteste
gallery-pages = Seiten
gallery-before = Zurück
gallery-none = In deinen Gruppen ist noch nichts geteilt. Mit /share kommt etwas an ihre Pinnwand.
gallery-by = { $maker } · { $votes ->
    [one] 1 Like
   *[other] { $votes } Likes
} · { $uses ->
    [one] einmal verwendet
   *[other] { $uses }-mal verwendet
}
settings-yours = Deine Vorgaben für alles, was du nicht angibst:
settings-here = Vorgaben für diesen Chat. Ändere eine mit /settings --here --steps 30, setze sie mit /settings --here --without steps zurück.
settings-kept = Gespeichert.
language-name = Deutsch
fact-language = Sprache
form-settings = Deine Vorgaben
form-paint = Malen
form-keep = Speichern
button-settings = Ändern…
explain-read = So versteht Easel deinen Prompt; gemalt wird noch nichts.
explain-refused = Das lässt sich nicht malen: { $reason }
explain-drawn = { $drawn } (zufällig; mit --seed wiederholbar)
explain-weight = { $words } (Gewicht { $weight })
explain-part = { " " }| dann |{ " " }
explain-of-you = { $value } (von dir)
explain-of-settings = { $value } (deine Vorgabe)
explain-of-place = { $value } (Vorgabe dieses Chats)
explain-of-model = { $value } (Standard)
explain-of-picture = { $value } (aus deinem Bild)
explain-seed = zufällig
explain-cost = { $credits ->
    [one] { $credits } Credit, etwa { $time }
   *[other] { $credits } Credits, etwa { $time }
}

## Die Grammatik der Prompts

input-prompts-empty = Der Prompt ist leer. Beschreibe, was das Bild zeigen soll.
input-prompts-many = Eine Nachricht darf höchstens { $most } mit || getrennte Prompts enthalten; diese hat { $given }.
input-prompt-choices = Alternativen wie {"{"}red|green{"}"} dürfen höchstens { $most }-fach verschachtelt sein.
input-prompt-images = Ein Prompt kann nur ein Ausgangsbild haben; lass nur ein {"{"}image{"}"} stehen.
input-prompt-lora = { $given } verlangt ein LoRA; LoRAs unterstützt Easel noch nicht. Als normalen Text schreibst du { $plain }.
input-prompt-concept = { $given } verlangt eine Textual Inversion; die unterstützt Easel noch nicht. Als normalen Text schreibst du { $plain }.
input-prompt-list = { $given } verlangt eine Wildcard-Liste; solche Listen unterstützt Easel noch nicht. Als normalen Text schreibst du { $plain }.
input-prompt-editing = { $given } ändert den Prompt mitten im Bild; das unterstützt Easel noch nicht. Als normalen Text schreibst du \[ und \].
input-prompt-alternation = { $given } wechselt beim Malen zwischen Wörtern; das unterstützt Easel noch nicht. {"{"}cat|dog{"}"} wählt zufällig eines davon.
input-prompt-together = AND zwischen Prompts verbindet sie; das unterstützt Easel noch nicht. Schreib „and“, oder { $plain } für das normale Wort.
input-prompt-share = { $given } gewichtet Teile eines Prompts wie bei Midjourney. Easel schreibt Gewichte in Klammern, etwa (cat:1.3); als normalen Text schreibst du { $plain }.

## Optionen

input-line-long = Eine Nachricht darf höchstens { $most } Zeichen haben; diese hat { $given }.
input-flag-unknown = { GIVEN($nearest) ->
    [yes] Die Option --{ $given } gibt es nicht; meintest du --{ $nearest }? Als normalen Text schreibst du \--{ $given }.
   *[no] Die Option --{ $given } gibt es nicht. Möglich sind: { $offered }. Als normalen Text schreibst du \--{ $given }.
}
input-flag-twice = --{ $name } ist doppelt angegeben; gib es nur einmal an.
input-flag-value = Nach --{ $given } fehlt der Wert: { $help }.

## Links zu Bildern

input-link-form = Ein Link zu einem Bild sieht aus wie https://example.com/picture.png, ohne Benutzernamen und Sonderzeichen.
input-link-unreachable = Easel kann von { $host } nichts laden; speichere das Bild und hänge es an.
input-link-redirects = Der Link leitet mehr als { $most }-mal weiter; nimm den Link, der direkt zum Bild führt.
input-link-no-picture = Der Link führt zu keinem PNG-, JPEG- oder WebP-Bild; nimm den Link, der direkt zum Bild führt, oder hänge es an.
input-link-big = Das verlinkte Bild ist größer als { $most } Megabyte; nimm eine kleinere Kopie.
input-link-slow = Das verlinkte Bild kam nicht innerhalb von { $seconds } s an; speichere es und hänge es an.

## Ausgangsbilder

picture-bytes = Das Bild hat { MILLIONS($given) } MB; erlaubt sind höchstens { MILLIONS($most) } MB. Nimm eine kleinere Kopie oder ein JPEG.
picture-format = Dieses Bildformat kann Easel nicht lesen; es liest { $offered }.
picture-pixels = Das Bild hat { $width } × { $height } Pixel; erlaubt sind höchstens { MILLIONS($most) } Megapixel. Nimm eine kleinere Kopie.
picture-parts = Die Bilddatei besteht aus mehr als { $most } Teilen; das ist ungewöhnlich viel. Speichere sie in einem Bildprogramm neu.
picture-scans = Das JPEG besteht aus mehr als { $most } Schichten; das ist ungewöhnlich viel. Speichere es in einem Bildprogramm neu.
picture-broken = Die { $format }-Datei ist beschädigt oder unvollständig. Speichere oder sende sie noch einmal.

## Was ein Modell erlaubt

range-number = { $name } muss zwischen { $low } und { $high } liegen; du hast { $given } angegeben.
range-multiple = { $name } muss ein Vielfaches von { $multiple } sein; du hast { $given } angegeben, am nächsten liegt { $nearest }.
range-pixels = { $width } × { $height } ist für dieses Modell zu groß: Es malt insgesamt höchstens { $most } Pixel.
range-no-steps = { $steps ->
    [one] Mit { $steps } Schritt und Stärke { $strength } ändert sich nichts; die Stärke muss mindestens { $least } sein.
   *[other] Mit { $steps } Schritten und Stärke { $strength } ändert sich nichts; die Stärke muss mindestens { $least } sein.
}
range-dtype = Für dtype sind möglich: { $offered }; angegeben ist { $given }.
range-inputs = Für { $mode } muss die Zahl der Bilder der Art { $role } { $wanted } sein; du hast { $given } angegeben.
unknown-model = { GIVEN($nearest) ->
    [yes] Das Modell { $given } gibt es nicht; meintest du { $nearest }?
   *[no] Das Modell { $given } gibt es nicht. Möglich sind: { $offered }.
}
unknown-scheduler = { GIVEN($nearest) ->
    [yes] Dieses Modell hat keinen Scheduler { $given }; meintest du { $nearest }?
   *[no] Dieses Modell hat keinen Scheduler { $given }. Möglich sind: { $offered }.
}
unknown-mode = Easel hat keinen Modus für { $given }. Es gibt: { $offered }.
unknown-mode-here = Das Modell { $model } kann kein { $given }; es braucht { $offered }.
unknown-option-here = Das Modell { $model } kennt { $name } nicht; lass es weg oder wähle ein anderes Modell.

## Unbrauchbare Modelle

model-not-finite = Das Modell { $model } hat statt eines Bildes ungültige Zahlen geliefert; es kostet dich nichts. Versuch ein anderes Modell; der Betreiber kann die Datei prüfen oder dtype auf float32 setzen.
model-missing = { $path } fehlt oder lässt sich nicht lesen. Lege das Modell dort ab oder korrigiere den Pfad in der Konfiguration.
model-folder-missing = Den Modellordner { $path } gibt es nicht. Lege ihn an oder korrigiere models_dir in der Konfiguration.
model-name = { $path } ist kein gültiger Modellname. Erlaubt sind bis zu 80 Buchstaben, Ziffern, Leerzeichen und . _ + - ( ), und jeder Name nur einmal.
model-outside = { $path } ist oder enthält einen Link, der aus dem Modellordner hinausführt. Verschiebe die Dateien hinein oder gib ihren eigenen Pfad in der Konfiguration an.
model-pickled = { $path } enthält Gewichte im Pickle-Format, die beim Laden beliebigen Code ausführen können. Nimm die .safetensors-Datei des Modells oder konvertiere die Gewichte anderswo.
model-unreadable = { $path } ist keine lesbare safetensors-Datei oder Modellkonfiguration. Lade sie noch einmal herunter.
model-timesteps = Die Scheduler-Konfiguration von { $path } nennt { $given } Trainingsschritte (num_train_timesteps). Möglich ist eine ganze Zahl bis { $most }; üblich sind 1000.
model-truncated = { $path } ist unvollständig: Die Datei hat { $bytes } Byte und müsste { $promised } haben. Lade sie noch einmal herunter.
model-pointer = { $path } ist nur ein Git-LFS-Zeiger und enthält keine Gewichte. Hole die Datei mit git lfs pull oder lade sie von ihrer Seite herunter.
model-unfamiliar = { $path } ist kein Modell von Stable Diffusion 1, 2, XL oder 3. LoRAs, ControlNets und einzelne Teile eines Modells gehören nicht hierher.
model-refiner = { $path } ist ein SDXL-Refiner und kann allein nicht malen. Nimm ein SDXL-Basismodell.
model-mode = { $path } nimmt { $channels } Eingangskanäle, wie Modelle zum Bearbeiten nach Anweisung oder Tiefe. Nimm das einfache Modell derselben Familie.
model-ema-names = { $path } enthält nur gemittelte Gewichte unter ihren Trainingsnamen. Nimm die EMA-only-Datei, die zum Malen vorgesehen ist.
model-not-folder = { $path } ist ein Ordner ohne model_index.json. Gib den Ordner eines vollständigen diffusers-Modells oder eine .safetensors-Datei an.
model-part-missing = In { $path } fehlt { $part }. Lade das Modell noch einmal herunter oder gib einen config-Ordner an, der diesen Teil enthält.
model-variant = { $path } mischt Varianten, die nicht zusammengehören. Lade alle Teile in einer Variante herunter: ohne Zusatz, fp16 oder bf16.
model-class = { $path } verlangt { $given } als { $part }, das Easel nicht unterstützt. Nimm ein übliches Modell von Stable Diffusion 1, 2, XL oder 3.
model-prediction = { $path } verwendet die Vorhersage „{ $given }“, die seine Familie nicht kennt. Möglich sind { $offered }; flow gibt es nur bei Stable Diffusion 3.
model-card = Die Modellkarte { $path } ist unbrauchbar: { $reason }.
model-family = Dem Modell { $name } fehlt die Angabe family. Trage in seiner Tabelle der Konfiguration eine davon ein: { $offered }.
model-other-family = Das Modell { $name } ist mit der Familie { $given } konfiguriert, seine Dateien gehören aber zu { $found }. Korrigiere die Familie in der Konfiguration.
model-config-needed = { $path } ist eine einzelne Datei ohne Tokenizer. Gib für das Modell { $name } eine config an: einen diffusers-Ordner von { $family }.
model-not-fetched = Das Modell { $source } ist nicht auf diesem Rechner: { $reason }. Lade es vorher herunter oder erlaube Downloads in der Konfiguration.
model-broken = { $path } ließ sich nicht laden: { $reason }.
model-incomplete = In { $path } fehlen Gewichte. Lade das Modell noch einmal herunter.

## Wohin Bilder gespeichert werden

output-folder-missing = Den Ordner { $folder } für das Bild gibt es nicht. Lege ihn an oder wähle einen anderen.
output-folder-unwritable = Der Ordner { $folder } ist schreibgeschützt. Wähle einen anderen oder ändere seine Rechte.
output-file-unwritable = Die Datei { $file } lässt sich nicht überschreiben. Wähle einen anderen Namen.
output-is-folder = { $file } ist ein Ordner; gib eine Datei darin an.
output-not-png = Easel schreibt PNG-Dateien, in denen auch die Einstellungen stehen; nenne die Datei { $right }.
output-unkept = Das Bild konnte nicht gespeichert werden: { $reason }.
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
paint-no-words = ohne Prompt
paint-cancelled = Abgebrochen.
paint-left = Ein anderer Easel-Prozess hat dieses Bild übernommen: easel run malt es und schreibt die Datei.
time-seconds = { $seconds } s
time-minutes = { $minutes } min
time-hours = { $hours } h

## Betrieb und Zugang

input-token-name = Ein Token braucht einen Namen: den Namen des Nutzers, für den es gilt.
input-one-prompt = easel paint nimmt nur einen Prompt; rufe es für jeden Prompt einzeln auf.
person-none = Es gibt noch keine Nutzer.
person-set = { $name }: Rolle { $role }, Stufe { $tier }.
run-ending = { $count ->
    [one] Ein Bild wird noch fertig gemalt; drücke noch einmal Strg+C, um sofort zu beenden.
   *[other] { $count } Bilder werden noch fertig gemalt; drücke noch einmal Strg+C, um sofort zu beenden.
}
run-web = Der Webchat läuft unter { $address }
token-revoked = { $count ->
    [0] { $name } hatte kein Token.
    [one] Ein Token von { $name } wurde widerrufen.
   *[other] { $count } Tokens von { $name } wurden widerrufen.
}

## Persönliche Daten

export-done = { $file } enthält alle Daten von { $name }: { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträge
}, { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bilder
}.
forget-ask = Alle Daten von { $name } endgültig löschen, darunter { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträge
} und { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bilder
}?
forget-done = Alle Daten von { $name } sind gelöscht, darunter { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträge
} und { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bilder
}.
forget-not = Es wurde nichts gelöscht.
forget-none = Kein gelöschter Nutzer ist wieder da.
input-forget-whom = Gib den Nutzer an, der gelöscht werden soll; oder nach dem Einspielen eines Backups --again ohne Namen.
input-forget-yes = Eine Rückfrage ist hier nicht möglich; mit --yes wird ohne Rückfrage gelöscht.
audit-none = Das Audit-Log ist leer.
link-code = Gib auf der anderen Plattform innerhalb von { $minutes } Minuten /link { $code } ein; der Code gilt nur einmal. Wähle danach hier „Prüfen“. Verbunden wird erst, wenn du zustimmst.
link-waits = Der Code wurde noch nicht eingegeben.
link-typed = Anfrage gesendet. Wähle jetzt dort, wo du den Code bekommen hast, „Prüfen“ und stimme zu. Beide Konten haben dann denselben Verlauf, dieselben Presets und Einstellungen; die Credits von heute zählen einmal.
link-asks = { GIVEN($role) ->
    [yes] Ist das dein anderes Konto? Beide haben dann denselben Verlauf, dieselben Presets, Einstellungen und Credits, und deine Rolle als { $role } gilt für beide. Wenn es nicht deins ist, wähle „Nein“.
   *[no] Ist das dein anderes Konto? Beide haben dann denselben Verlauf, dieselben Presets, Einstellungen und Credits. Wenn es nicht deins ist, wähle „Nein“.
}
link-nameless = ohne Namen
link-joined = Deine Konten sind jetzt verbunden: { $platforms }.
link-refused = Die Konten wurden nicht verbunden. Der Code gilt nicht mehr.
input-link-code = Der Code ist ungültig oder abgelaufen; /link erstellt einen neuen.
denied-link = Es gibt keine offene Anfrage zum Verbinden; /link erstellt einen neuen Code.
unlink-done = Dein Konto auf { $gone } ist jetzt eigenständig. Verlauf und Presets bleiben bei { $left }; die heute verbrauchten Credits zählen für beide.
input-unlink = Auf { $given } hast du kein verbundenes Konto; verbunden sind { $offered }.
denied-unlink = Das ist dein einziges Konto; es gibt nichts zu trennen.
denied-person-new = Dein Konto wurde gerade verbunden oder getrennt. Sende das noch einmal.
me-export = Das sind alle Daten, die über dich gespeichert sind: { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträge
}, { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bilder
}.
me-export-rows = Das sind alle Daten, die über dich gespeichert sind, aber ohne die Bilder selbst, denn sie sind zusammen zu groß: { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträge
}, { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bilder
}. Der Betreiber kann dir alles mit easel export zusammenstellen.
denied-export = Deine Daten sind zu groß für eine Nachricht; der Betreiber kann sie dir mit easel export zusammenstellen.
me-forget-ask = Alle deine Daten auf { $platforms } endgültig löschen, darunter { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträge
} und { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bilder
}? Das lässt sich nicht rückgängig machen. Nachrichten in Chats bleiben dort, bis du sie löschst.
me-forgotten = Alle deine Daten sind gelöscht, darunter { $jobs ->
    [one] { $jobs } Auftrag
   *[other] { $jobs } Aufträge
} und { $pictures ->
    [one] { $pictures } Bild
   *[other] { $pictures } Bilder
}. Wenn du wieder schreibst, beginnst du als neuer Nutzer.
denied-forget = Diese Frage war an jemand anderen gerichtet; gib selbst /me forget ein.
input-forget-late = Diese Frage ist abgelaufen; gib /me forget noch einmal ein.
button-check = Prüfen
button-join = Konten verbinden
button-join-no = Nein
button-forget = Meine Daten löschen
fact-name = Name

## Modelle im Terminal

models-name = Name
models-title = Titel
models-family = Familie
models-kind = Format
models-variant = Variante
models-prediction = Vorhersage
models-precision = Genauigkeit
models-megabytes = Megabyte
models-size = Größe
models-steps = Schritte
models-schedulers = Scheduler
models-options = Optionen
models-words = Wörter

## easel doctor

doctor-state-ok = ok
doctor-state-note = Hinweis
doctor-state-problem = Problem
doctor-python = Python { $version }
doctor-config = Die Konfiguration ist { $file }.
doctor-no-config = Hier ist keine easel.toml, also gelten überall die Standardwerte; config.example.toml zeigt alle Einstellungen.
doctor-library = { $name } { $version }
doctor-library-missing = { $name } ist nicht installiert; gib ein: pip install -c requirements.lock -e .
doctor-gpu = GPU: { $name }
doctor-gpu-unused = Es gibt eine GPU, aber installiert ist die CPU-Version von torch. Um die GPU zu nutzen, führe aus: python -m pip install --force-reinstall torch=={ $version } --index-url https://download.pytorch.org/whl/cu130
doctor-gpu-missing = Die Konfiguration nennt die Geräte { $devices }, es wurde aber keine NVIDIA-GPU gefunden; setze [inference] devices auf ["auto"] oder repariere den Treiber.
doctor-processor = Keine NVIDIA-GPU gefunden; gemalt wird auf der CPU: mit dem Demo-Modell schnell, mit großen Modellen langsam.
doctor-model = Modell { $name } ({ $family }): { $source }
doctor-model-refused = Das Modell { $name } aus der Konfiguration ist nicht nutzbar. { $reason }
doctor-models-folder-missing = Den Modellordner { $folder } gibt es noch nicht. Lege ihn an und Modelle hinein; Easel findet sie von selbst.
doctor-store = Die Datenbank { $store } ist auf dem neuesten Stand.
doctor-store-blank = Die Datenbank { $store } wird beim ersten Start angelegt.
doctor-page = Der Webchat wird unter { $address } laufen
doctor-page-login = Der Webchat wird unter { $address } laufen und ein Token verlangen. Erstelle eins mit: easel token create NAME
doctor-folder = Bilder können in { $folder } gespeichert werden.
doctor-next = Weiter: easel run
doctor-next-mend = Weiter: Behebe die Probleme oben und starte easel doctor noch einmal.

## Die Bilderzeugung

memory-smaller = Mit { $width } × { $height } statt { $asked } gemalt: Für mehr reichte der Speicher nicht.
memory-spent = { $width } × { $height } passt nicht in den Speicher dieses Geräts. Nimm eine kleinere Größe.
worker-died = Der Bildgenerator auf { $device } ist abgestürzt und wurde neu gestartet. Versuche es noch einmal.
worker-hung = Der Bildgenerator auf { $device } hat { $seconds } s lang nicht reagiert und wurde neu gestartet. Versuche es noch einmal.
worker-garbled = Der Bildgenerator hat eine ungültige Antwort geliefert und wurde neu gestartet. Versuche es noch einmal.
worker-start = Der Bildgenerator startet nicht ({ $kind }); easel doctor zeigt vielleicht, warum.

## Der Web-Adapter

config-port = Port { $port } von { $host } ist von einem anderen Programm belegt; stelle in [web] mit port einen anderen ein oder beende das Programm.
config-listen = Der Webchat kann auf { $host }, Port { $port }, keine Verbindungen annehmen: { $reason }. Korrigiere host und port in [web].
config-public-url = [web] public_url muss eine Adresse wie https://easel.example sein, ist aber { $given }.
web-host = Dieser Server antwortet nicht unter dem Namen { $host }. Der Betreiber kann in [web] public_url die Adresse eintragen, die Nutzer aufrufen.
web-origin = Das kam von der Seite einer anderen Website. Verwende die Seite von Easel selbst.
web-large = Ein Bild darf höchstens { $most } MB und eine Nachricht höchstens { $line } Zeichen haben; das war mehr.
web-busy = Easel empfängt gerade viele Bilder. Versuche es in ein paar Sekunden noch einmal.
web-slow = Die Verbindung ist zu langsam: was du gesendet hast, kam nicht rechtzeitig an. Sende ein kleineres Bild.
web-form = Das Formular ist unvollständig angekommen. Sende es noch einmal.
web-login = Du bist nicht angemeldet. Melde dich mit deinem Token an.
web-reload = Diese Seite ist veraltet. Lade sie neu.
web-metrics = Die Metriken brauchen ein Token: Sende den Header Authorization: Bearer TOKEN mit.
web-tries = Zu viele falsche Tokens. Warte eine Minute und versuche es noch einmal.
web-token = Dieses Token gilt nicht. Bitte den Betreiber um ein neues.
web-file = Dieses Bild gibt es nicht, oder du hast keinen Zugriff darauf.
web-nothing = Unter dieser Adresse gibt es nichts.
fault-web = Etwas ist schiefgegangen. Der Betreiber findet es im Log unter { $incident }.
example-1 = a large red circle on a blue background
example-2 = a yellow boat by the sea at sunset
example-3 = a yellow star above a purple heart on a white background
input-line-empty = Die Nachricht ist leer. Beschreibe ein Bild oder gib einen Befehl wie /help ein.

## Fehler

fault-untold = Etwas ist schiefgegangen ({ $key }).
fault-incident = In Easel ist etwas schiefgegangen. Details stehen in { $file }.
fault-unexpected = Beim Malen ist etwas schiefgegangen. Der Betreiber findet es im Log unter { $incident }.

## Der Webchat

page-name = Easel
page-skip = Zum Eingabefeld
page-conversation = Unterhaltung
page-panel = Warteschlange und Verlauf
page-queue = Warteschlange
page-queue-empty = Keine offenen Aufträge.
page-history = Verlauf
page-search = Deine Bilder durchsuchen
page-noscript = Diese Seite braucht JavaScript; in der Kommandozeile malt Easel auch ohne.
page-said = Wochenübersicht
page-earlier = Ältere anzeigen
page-latest = Zum Neuesten
page-empty = Was möchtest du sehen?
page-empty-how = Beschreibe es mit deinen Worten, am besten auf Englisch. Eine Zeile mit / am Anfang ist ein Befehl, und -- setzt eine Option.
page-line = Nachricht
page-placeholder = Beschreibe dein Bild
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
page-cover = Verdecktes Bild: zum Anzeigen tippen
page-cover-short = Verdeckt
page-cover-again = Wieder verdecken
page-sending = wird gesendet
page-kept = gespeichert, wird gesendet, sobald du online bist
page-edit = Bearbeiten
page-discard = Verwerfen
page-delete-ask = Endgültig löschen?
page-delete-yes = Endgültig löschen
page-delete-no = Behalten
page-progress = Fortschritt
page-offline = Du bist offline. Nachrichten werden gespeichert und später gesendet.
page-press-away = Du bist offline. Drücke noch einmal, wenn du wieder online bist.
page-logged-out = Du bist abgemeldet. Melde dich wieder an, um weiterzumachen.
page-broken = Die Antwort war nicht lesbar. Sende es noch einmal.
page-picture-role = Ausgangsbild
page-picture-kept = dieses bleibt, wenn du kein anderes wählst
page-picture-large = Das Bild hat { $given } MB; erlaubt sind höchstens { $most } MB. Nimm eine kleinere Kopie oder ein JPEG.
page-picture-kind = Bilder müssen im Format PNG, JPEG oder WebP sein.
page-file-kind = Preset-Dateien müssen auf .json oder .csv enden.
page-range = { $low } bis { $high }
page-drop = Loslassen, um das Bild als Ausgangsbild zu verwenden
page-drop-file = Loslassen, um die Datei zu importieren
page-yes = ja
page-no = nein
page-login = Anmelden
page-login-title = Anmelden
page-login-how = Bitte den Betreiber um ein Token. Es wird erstellt mit: easel token create NAME
page-login-token = Token
page-logout = Abmelden
page-back = Zurück zum Chat

## Die Datenbank

db-away = Die Datenbank antwortet gerade nicht, deshalb wurde nichts geändert. Versuche es in einer Minute noch einmal.
db-full = Der Datenträger der Datenbank ist voll, deshalb wurde nichts geändert. Sag es dem Betreiber.
db-gone = Die Datei der Datenbank wurde gelöscht, während Easel lief, deshalb wird nichts mehr angenommen. Der Betreiber muss sie wiederherstellen und Easel neu starten.
db-folder = Der Ordner { $folder } für die Datenbank lässt sich nicht anlegen: { $reason }.
db-unusable = Die Datenbank { $database } lässt sich nicht verwenden: { $reason }.
db-behind = Die Tabellen sind noch auf Revision { $current }; mach ein Backup und bringe sie dann mit easel db upgrade auf { $head }.
db-ahead = Die Tabellen sind auf Revision { $current } und damit neuer als dieses Easel ({ $head }). Aktualisiere Easel oder nimm eine andere Datenbank.
db-current = { $database } ist auf dem neuesten Stand, Revision { $current }.
db-blank = { $database } hat noch keine Tabellen; sie werden beim ersten Start von Easel oder mit easel db upgrade angelegt.
db-differs = { $database } hat die richtige Revision, aber die Tabellen weichen davon ab: { $where }. Spiele ein Backup ein oder repariere sie von Hand.
db-moved = { GIVEN($after) ->
    [yes] { GIVEN($before) ->
        [yes] { $database } wurde von Revision { $before } auf { $after } gebracht.
       *[no] { $database } hat jetzt Tabellen in Revision { $after }.
    }
   *[no] { $database } hat keine Tabellen mehr.
}
db-stayed = { GIVEN($after) ->
    [yes] { $database } ist bereits auf Revision { $after }.
   *[no] { $database } hat keine Tabellen; es gab nichts zu tun.
}
db-foreign = Die Datenbank enthält Tabellen mit denselben Namen, die nicht von Easel stammen. Nimm eine eigene oder eine leere Datenbank.
input-revision = Die Revision { $given } ist nicht erreichbar. Möglich sind: { $offered }.

## Telegram

run-telegram = Verbindung mit Telegram: { $address }
telegram-start = Hallo, ich bin { $name } und male Bilder nach deiner Beschreibung.
telegram-start-words = Schreibe, was du sehen möchtest, am besten auf Englisch, zum Beispiel: a red circle on a blue background.
telegram-start-picture = Wenn du von einem Bild ausgehen willst, sende es mit deinem Prompt oder antworte mit dem Prompt darauf. Mehr dazu mit /help.
telegram-help-start = Zeige, wie Easel funktioniert
telegram-ask = /{ $command } – { $help }?
telegram-picture = Antworte auf dein Bild und beschreibe, was daraus werden soll.
telegram-edited = Diese Nachricht wird schon in ihrer ersten Fassung gemalt; ändere sie mit „Ändern…“ unter dem Bild.
telegram-channel = In Kanälen nimmt Easel keine Aufträge an; schreibe in einer Gruppe oder im privaten Chat.
telegram-private = Die Antwort ist privat, aber Easel darf dir noch nicht schreiben. Öffne den Chat und drücke auf „Start“.
telegram-open = Chat öffnen
telegram-sent-privately = Du hast eine private Nachricht bekommen.
telegram-gone = Die Buttons dieser Nachricht funktionieren nicht mehr; sie ist zu alt.
telegram-done = Erledigt.
telegram-nobody = Die Antwort ist privat, aber du schreibst hier anonym. Öffne den Chat und frage dort.
telegram-refused = Telegram hat das Ergebnis nicht angenommen; du findest es mit /history.
telegram-unsaid = Telegram hat die Antwort nicht angenommen; versuche es in einer Minute noch einmal.
telegram-link = Dieser Link bittet Easel um: { $line }
telegram-closed = Easel konnte das nicht in dem Chat posten, in dem du gefragt hast.
telegram-no-photo = Telegram nimmt kein Bild in dieser Größe an; du findest es mit /history.
telegram-unsure = Die Bilder sind vielleicht nicht angekommen: { $words }. Tippe in diesem Fall auf den Button.
telegram-broke = In Easel ist etwas schiefgegangen. Der Betreiber findet es im Log unter { $code }.
telegram-form-answer = Tippe an, was du ändern willst, oder antworte mit einem neuen Prompt auf diese Nachricht.
telegram-form-words = Antworte auf die Nachricht mit dem Wert für „{ $name }“. Jedes andere Feld setzt du mit --name wert.
telegram-form-long = Diese Einstellungen sind zu lang, um sie in Telegram zu ändern; kopiere den Prompt und sende ihn neu.
telegram-inline-preset = Mit { $name } malen
telegram-inline-none = Noch keine Bilder: Chat öffnen
telegram-inline-covered = Bilder sind verdeckt: Chat öffnen
button-original = Original
doctor-telegram = Telegram: Das ist { $name }, unter { $link }
doctor-telegram-privacy = Der Datenschutzmodus ist aus: Telegram schickt dem Bot alle Nachrichten seiner Gruppen, obwohl er nur Befehle braucht. Schalte den Modus bei BotFather mit /setprivacy ein.
doctor-telegram-webhook = Telegram schickt Updates an einen Webhook unter einer anderen Adresse. Mit mode = "polling" entfernt Easel ihn beim Start.
doctor-telegram-refused = Telegram kennt dieses Token nicht; hole es noch einmal bei BotFather und trage es in [telegram] token ein.
doctor-telegram-away = Telegram ist unter { $address } nicht erreichbar: { $reason }. Prüfe [telegram] api_base und das Netzwerk dieses Rechners.

## Discord

run-discord = Verbindung mit Discord: { $address }
discord-age = Hier wird nur in Kanälen mit Altersbeschränkung gemalt. Du kannst /imagine auch in einer Direktnachricht verwenden.
discord-broke = In Easel ist etwas schiefgegangen. Der Betreiber findet es im Log unter { $code }.
discord-done = Erledigt.
discord-more = { $count ->
    [one] ein weiteres in /history
   *[other] { $count } weitere in /history
}
discord-pick = { $label }…
discord-below = Das Bild kommt in einer eigenen Nachricht.
discord-too-large = Discord nimmt hier kein Bild in dieser Größe an; du findest es mit /history.
discord-closed = Easel konnte das nicht in dem Kanal posten, in dem du gefragt hast.
discord-range = { $low } bis { $high }
discord-unsure = Dein Bild ist vielleicht nicht angekommen: { $words }. Klicke in diesem Fall auf den Button.
discord-private = Die Antwort kommt als Direktnachricht, aber du erlaubst keine Direktnachrichten von Easel. Erlaube sie und versuche es noch einmal.
discord-no-answer = Easel darf in dem Kanal, in dem du gefragt hast, nicht schreiben. Bitte einen Moderator, es zu erlauben, oder frage hier.
discord-menu-source = Als Ausgangsbild verwenden
discord-menu-info = Info
discord-menu-again = Nochmal
discord-menu-none = In dieser Nachricht ist kein Bild von Easel.
discord-menu-no-picture = In dieser Nachricht ist kein Bild.
doctor-discord = Discord: Das ist { $name }. Einladen: { $invite }
doctor-discord-refused = Discord kennt dieses Token nicht; kopiere es noch einmal von der Bot-Seite des Entwicklerportals in [discord] token.
doctor-discord-away = Discord ist unter { $address } nicht erreichbar: { $reason }. Prüfe [discord] api_base und das Netzwerk dieses Rechners.
doctor-discord-elsewhere = Discord schickt Befehle und Klicks an eine Interactions Endpoint URL statt an Easel; leere dieses Feld im Entwicklerportal.

## Hilfe zu den Befehlen

help-imagine = Male ein Bild nach deiner Beschreibung.
help-again = Male einen Auftrag noch einmal, mit neuem Seed.
help-vary = Male eine Variation eines Bildes.
help-edit = Ändere einen Auftrag und male ihn neu.
help-branch = Entwickle ein Bild weiter: Was du nicht änderst, bleibt gleich, auch der Seed.
help-info = Zeige alle Einstellungen eines Bildes.
help-original = Hole ein Bild als Originaldatei.
help-delete = Lösche eins deiner Bilder endgültig.
help-queue = Zeige deine wartenden und laufenden Aufträge.
help-cancel = Brich einen wartenden oder laufenden Auftrag ab.
help-move = Verschiebe einen deiner Aufträge in der Warteschlange.
help-retry = Wiederhole einen fehlgeschlagenen Auftrag unverändert.
help-resend = Sende Bilder eines Auftrags, die nicht angekommen sind, noch einmal.
help-explain = Zeige, wie Easel einen Prompt versteht und was er kostet, ohne ihn zu malen.
help-history = Zeige oder durchsuche deine Bilder, die neuesten zuerst.
help-favourite = Füge ein Bild den Favoriten hinzu, lege es in einen Ordner oder entferne es wieder.
help-compare = Zeige zwei Bilder nebeneinander und worin sich ihre Einstellungen unterscheiden.
help-settings = Zeige oder ändere deine Vorgaben.
help-settle = Ändere deine Vorgaben in einem Formular.
help-quota = Zeige, wie viele Credits du noch hast.
help-grant = Gib einem Nutzer Credits, die nicht verfallen; ohne Zahl siehst du, wie viele er hat.
help-pause = Halte die Aufträge dieses Chats oder eines Nutzers vorerst an.
help-resume = Setze die Aufträge dieses Chats oder eines Nutzers fort.
help-help = Zeige alle Befehle oder erkläre einen davon.
help-link = Verbinde deine Konten: Code hier holen, auf der anderen Plattform eingeben, hier bestätigen.
help-link-check = Zeige, wer deinen Code eingegeben hat.
help-link-join = Verbinde dein Konto mit dem, auf dem dein Code eingegeben wurde.
help-link-no = Lehne das Verbinden ab und mach deinen Code ungültig.
help-unlink = Trenne eine Plattform; Verlauf und Presets bleiben bei deinen anderen Konten.
help-me-export = Lade alle deine Daten als Datei herunter: Aufträge, Bilder, Presets, Einstellungen.
help-me-forget = Lösche alle deine Daten auf allen Plattformen; vorher wirst du gefragt.
help-forget-me = Bestätige, dass alle deine Daten gelöscht werden.
help-preset-use = Male mit einem Preset: erst sein Name, dann dein Text.
help-preset-list = Zeige die Presets, mit denen du malen kannst, die meistverwendeten zuerst.
help-preset-show = Zeige, was ein Preset enthält; name@2 zeigt eine frühere Version.
help-preset-save = Speichere einen Prompt oder die Einstellungen eines Bildes als Preset.
help-preset-keep = Speichere die Einstellungen eines Bildes als Preset, mit einem Formular.
help-fill = Male mit einem Preset und fülle seine Platzhalter in einem Formular aus.
help-preset-edit = Ändere eins deiner Presets; Bilder behalten die Version, mit der sie gemalt wurden.
help-preset-fork = Kopiere ein Preset, um es nach Belieben zu ändern.
help-preset-share = Teile eins deiner Presets mit diesem Chat oder mit allen.
help-preset-delete = Archiviere ein Preset; damit gemalte Bilder bleiben unverändert.
help-preset-export = Lade deine Presets als Datei herunter, oder eins, das du sehen kannst.
help-preset-import = Importiere Presets aus einer Datei von Easel, A1111, Fooocus oder InvokeAI.
help-share = Teile eins deiner Bilder oder einen Prompt an der Pinnwand dieses Chats.
help-board = Zeige die Pinnwand dieses Chats: Neueste, Meistverwendete oder Beliebteste zuerst.
help-use = Male etwas Geteiltes mit neuem Seed; nach dem Code kannst du eigenen Text schreiben.
help-like = Markiere einen Beitrag mit „Gefällt mir“; noch einmal nimmt es zurück.
help-keep = Speichere einen geteilten Beitrag als eigenes Preset.
help-report = Melde den Moderatoren einen Beitrag, der nicht an diese Pinnwand gehört.
help-reports = Zeige die gemeldeten Beiträge dieser Pinnwand.
help-dismiss = Lass einen gemeldeten Beitrag hängen und verwirf die Meldungen.
help-pin = Hefte einen Beitrag oben an die Pinnwand dieses Chats; --off löst ihn wieder.
help-remove = Entferne einen eigenen Beitrag von der Pinnwand; als Moderator jeden.
help-digest = Schalte die Wochenübersicht der Pinnwand an oder aus, im privaten Chat für alle Gruppen.
help-rules = Zeige die Regeln dieses Chats; Moderatoren können sie ändern.
help-group-link = Teile eine Pinnwand mit einer anderen Gruppe, hier oder auf einer anderen Plattform.
help-group-unlink = Trenne die gemeinsame Pinnwand; bisherige Beiträge bleiben an der gemeinsamen.

## Beschreibungen der Parameter

param-prompt = Was das Bild zeigen soll
param-edit-prompt = Was das Bild stattdessen zeigen soll
param-branch-prompt = Was das Bild stattdessen zeigen soll
param-negative = Was nicht auf dem Bild sein soll
param-image = Ein Ausgangsbild
param-strength = Wie viel vom Ausgangsbild neu gemalt wird
param-size = Breite und Höhe wie 768x512, oder ein Seitenverhältnis wie 16:9
param-steps = Schritte beim Entrauschen; mehr dauert länger
param-guidance = Wie genau das Bild dem Prompt folgt
param-scheduler = Das Verfahren für die Schritte, zum Beispiel euler a
param-smaller = Ein kleineres Bild malen, wenn der Speicher nicht reicht
param-clip-skip = Welche Schicht von CLIP den Prompt liest: 1 ist die letzte, 2 die davor
param-seed = Derselbe Seed ergibt dasselbe Bild
param-count = Wie viele Bilder
param-model = Welches Modell verwendet wird
param-job = ID des Auftrags
param-same = Auch denselben Seed verwenden, für dasselbe Bild
param-picture = ID des Bildes
param-pictures = IDs von einem oder zwei Bildern
param-without = Was zurückgesetzt wird: Namen, durch Kommas getrennt
param-edit-without = Was das Modell bestimmen soll: Namen, durch Kommas getrennt
param-branch-without = Was das Modell bestimmen soll: Namen, durch Kommas getrennt
param-words = Suchbegriffe, bei Bildern auch model: preset: by: seed: before: in: is:favourite
param-page = Welche Seite
param-folder = Ordner für den Favoriten
param-way = Wohin in deiner Warteschlange; ohne Angabe ganz nach vorn
param-language = Die Sprache, in der Easel mit dir spricht
param-here = Für alle in diesem Chat (nur Moderatoren)
param-person = Name, ID oder plattform:id; leer lassen für diesen ganzen Chat
param-grant-person = Name, ID oder plattform:id
param-credits = Wie viele Credits; eine negative Zahl zieht welche ab
param-command = Ein Befehl, den du erklärt haben möchtest
param-link-code = Der Code, den du auf der anderen Plattform bekommen hast
param-platform = Welche Plattform du trennst; ohne Angabe die, auf der du schreibst
param-link-join-person = ID des Nutzers
param-forget-me-person = ID des Nutzers
param-until = Bis wann du zustimmen kannst, als Unix-Zeit
param-preset = Name des Presets
param-preset-preset = Name des Presets
param-preset-use-preset = Name des Presets und Text dafür: platzhalter:wert oder freier Text
param-preset-use-words = Text dafür: platzhalter:wert oder freier Text
param-preset-export-preset = Name des Presets
param-preset-prompt = Der Prompt, mit Platzhaltern wie {"{"}title{"}"} oder {"{"}title=a cat{"}"}
param-preset-save-name = Ein Name aus einem Wort; dahinter kann der Prompt stehen
param-preset-edit-name = Ein Name aus einem Wort; dahinter kann der Prompt stehen
param-preset-save-picture = ID eines deiner Bilder, von dem alles übernommen wird
param-preset-edit-picture = ID eines deiner Bilder, von dem alles übernommen wird
param-name = Wie es heißen soll
param-lock = Was andere nicht ändern dürfen: Namen, durch Kommas getrennt
param-most = Limits für andere, zum Beispiel steps=30, count=2
param-tags = Suchbegriffe für das Preset, durch Kommas getrennt
param-everybody = Für alle Nutzer, nicht nur für diesen Chat
param-format = Für welches Programm; easel behält alles
param-text = Der Inhalt einer solchen Datei
param-file = Eine Preset-Datei von Easel, A1111, Fooocus oder InvokeAI
param-fill-version = Welche Version des Presets
param-fill-asks = Welche Platzhalter abgefragt werden, je ein Buchstabe
param-fill-words = Dein eigener Text
param-fill-slot-1 = Text für diesen Platzhalter
param-fill-slot-2 = Text für diesen Platzhalter
param-fill-slot-3 = Text für diesen Platzhalter
param-fill-slot-4 = Text für diesen Platzhalter
param-fill-slot-5 = Text für diesen Platzhalter
param-share-picture = ID eines deiner Bilder
param-share-prompt = Ein Prompt ohne Bild
param-order = Was zuerst kommt; ohne Angabe das Neueste
param-code = Code des Beitrags
param-use-code = Code des Beitrags; dahinter kann eigener Text stehen
param-off = Wieder aufheben
param-reason = Warum der Beitrag nicht dorthin gehört
param-group-link-code = Der Code, den die andere Gruppe bekommen hat
param-switch = on oder off; ohne Angabe siehst du den aktuellen Stand
param-rules-most = Limits in diesem Chat, zum Beispiel steps=30, count=2
param-rules-credits = Wie viele Credits jedes Mitglied hier am Tag verbrauchen darf
param-cover = Ob Bilder hier verdeckt sind, bis man darauf tippt
param-closed = Befehle, die Mitglieder hier nicht verwenden dürfen, durch Kommas getrennt
