# Todos los textos para los usuarios en español; en.ftl dice qué significan. Breves, amables, exactos; tratamos de tú.
# La ayuda y las descripciones de los comandos (help-, param-) están en inglés en sus declaraciones y solo aquí en español.

## Configuración

config-unknown = { GIVEN($nearest) ->
    [yes] No existe el ajuste { $key }; ¿querías decir { $nearest }?
   *[no] No existe el ajuste { $key }. En config.example.toml están todos.
}
config-missing = Falta { $key }.
config-whole = { $key } debe ser un número entero, pero es { $given }.
config-number = { $key } debe ser un número, pero es { $given }.
config-yes-no = { $key } debe ser true o false, pero es { $given }.
config-text = { $key } debe ser texto entre comillas, pero es { $given }.
config-list = { $key } debe ser una lista de textos como ["auto"], pero es { $given }.
config-choice = { $key } debe ser { $expected }, pero es { $given }.
config-least = { $key } debe ser como mínimo { $ge }, pero es { $given }.
config-most = { $key } debe ser como máximo { $le }, pero es { $given }.
config-webhook = { $key } con mode = "webhook" necesita también webhook_url y webhook_secret.
config-address = { $key } debe ser una dirección como https://example.org/api, pero es { $given }.
config-long = { $key } es demasiado largo.
config-empty = { $key } no puede estar vacío.
config-time-zone = { $key } debe ser una zona horaria como "Europe/Berlin", pero es { $given }.
config-section = { $key } debe ser una sección con sus propias claves, pero es { $given }.
config-value = { $given } no es un valor válido para { $key }.
config-file-missing = No existe el archivo { $file }.
config-file-unreadable = No se puede leer el archivo { $file }: { $reason }.
config-file-broken = { $file } no es TOML válido: { $reason }.
config-store = [store] url no es válida; escribe sqlite+aiosqlite:///ARCHIVO o postgresql+psycopg://USUARIO:CLAVE@HOST/NOMBRE (se admiten { $offered }).
config-files = [files] url no es válida ({ $reason }); escribe una carpeta como data/files o una dirección como s3://bucket/easel.

## Lo que los usuarios escriben y adjuntan

input-prompt-long = Un prompt puede tener hasta { $most } caracteres; este tiene { $given }.
input-prompt-deep = Los paréntesis pueden tener hasta { $most } niveles; pon el peso en un solo par, por ejemplo (word:1.5).
input-size = Escribe el tamaño así: 768x512; has escrito { $given }.
input-strength-alone = La intensidad solo sirve con una imagen de partida. Adjunta una o quita la intensidad.
input-file-missing = No existe el archivo { $file }.
input-file-unreadable = No se puede leer el archivo { $file }.
words-unknown = { $count ->
    [one] El modelo { $model } no conoce la palabra { $words }. Conoce, por ejemplo, { $known }.
    [many] El modelo { $model } no conoce las palabras { $words }. Conoce, por ejemplo, { $known }.
   *[other] El modelo { $model } no conoce las palabras { $words }. Conoce, por ejemplo, { $known }.
}

## Los comandos y sus parámetros

input-command = { GIVEN($nearest) ->
    [yes] No existe el comando /{ $given }; ¿querías decir /{ $nearest }?
   *[no] No existe el comando /{ $given }; /help los muestra todos.
}
input-parameter = { GIVEN($nearest) ->
    [yes] /{ $command } no tiene la opción { $given }; ¿querías decir { $nearest }?
   *[no] /{ $command } no tiene la opción { $given }; /help { $command } muestra todas.
}
input-missing = En /{ $command } falta { $name }: { $help }.
input-long = { $name } puede tener hasta { $most } caracteres; aquí hay { $given }.
input-choice = Para { $name } puedes elegir entre { $offered }; has escrito { $given }.
input-range = { GIVEN($low) ->
    [yes] { GIVEN($high) ->
        [yes] { $name } debe estar entre { $low } y { $high }; has escrito { $given }.
       *[no] { $name } debe ser como mínimo { $low }; has escrito { $given }.
    }
   *[no] { $name } debe ser como máximo { $high }; has escrito { $given }.
}
input-number = { $whole ->
    [yes] { GIVEN($low) ->
        [yes] { $name } debe ser un número entero entre { $low } y { $high }; has escrito { $given }.
       *[no] { $name } debe ser un número entero; has escrito { $given }.
    }
   *[no] { GIVEN($low) ->
        [yes] { $name } debe ser un número entre { $low } y { $high }; has escrito { $given }.
       *[no] { $name } debe ser un número; has escrito { $given }.
    }
}
input-yes-no = { $name } solo puede ser yes o no; has escrito { $given }.
input-value = { $given } no es un valor válido para { $name }: { $help }.
input-shape = Escribe la proporción así: 16:9, con un máximo de { $most }:1 o 1:{ $most }; has escrito { $given }.
input-prompt-empty = El prompt está vacío. Describe qué debe mostrar la imagen.
input-picture-none = /{ $command } no admite imágenes; quítala o úsala como imagen de partida con /imagine.
input-two-pictures =
    { $most ->
        [one] /{ $command } acepta una sola imagen, y hay más; deja solo una.
        [many] /{ $command } acepta hasta { $most } imágenes, y hay más; quita las demás.
       *[other] /{ $command } acepta hasta { $most } imágenes, y hay más; quita las demás.
    }
input-filter = No existe el filtro { $given }:; puedes usar { $offered }. Para buscar la palabra misma, quita los dos puntos.
input-filter-empty = Después de { $name }: falta el valor; escríbelo sin espacio, por ejemplo { $name }:valor.
input-filter-before = Después de before: va una fecha como 2026-11-20 o un plazo como 7d o 2w; has escrito { $given }.
input-beginning = Antes del asterisco debe haber al menos { $least } letras; has escrito { $given }.
input-compare = Escribe los ID de dos imágenes distintas, separados por un espacio.
input-twice = { $name } aparece dos veces; indícalo una sola vez.
input-words = /{ $command } no admite texto; has escrito { $given }.
input-picture-unknown = { $given } no es ni un enlace ni el ID de una de tus imágenes. Adjunta la imagen o copia el ID desde «Info».
input-form-old = El formulario ha caducado; elige la imagen otra vez.
input-picture-fetch = No se pudo descargar la imagen; envíala otra vez.
input-picture-gone = La imagen de partida se ha borrado; adjúntala otra vez.
input-image-missing = El prompt contiene {"{"}image{"}"}, pero no hay ninguna imagen; adjunta una o escribe {"{"}image:ENLACE{"}"}.
input-links-off = Aquí Easel no abre enlaces; adjunta la imagen.
input-button = Este botón es de otra versión de Easel; en su lugar, escribe el comando.
denied-job = Esta petición no existe o no tienes acceso a ella.
denied-picture = Esta imagen no existe o no tienes acceso a ella.
denied-moderators = Aquí solo los moderadores pueden hacer eso.
denied-operators = Solo el administrador de Easel puede hacer eso.
denied-cover = Las imágenes están ocultas en todas partes. Lo ha decidido el administrador y los chats no pueden cambiarlo.
denied-form = Este formulario es de otra persona; pulsa el mismo botón para abrir el tuyo.
denied-channel = Easel no sabe quién eres cuando escribes en nombre de un canal; escribe con tu propia cuenta.
input-person = Easel no conoce al usuario { $given }; escribe un nombre, un ID o plataforma:id.
input-person-name = { $given } es un nombre que cualquiera puede elegir; escribe el ID: { $id }.
input-person-several = Hay varios usuarios que se llaman { $given }; escribe un ID o plataforma:id.
denied-uploads = Has subido demasiadas imágenes en las últimas 24 horas: se aceptan hasta { $most } MB. Usa una imagen que ya hayas subido o inténtalo más tarde.
denied-disk = Ahora mismo no hay espacio para imágenes nuevas; el administrador tiene que liberar espacio.
denied-open = { $most ->
    [one] Puedes tener { $most } petición abierta; inténtalo de nuevo cuando termine.
    [many] Puedes tener hasta { $most } de peticiones abiertas; inténtalo de nuevo cuando termine alguna.
   *[other] Puedes tener hasta { $most } peticiones abiertas; inténtalo de nuevo cuando termine alguna.
}
denied-credits = { $cost ->
    [one] Esto cuesta { $cost } crédito, y te quedan { $left }; mañana vuelves a tener { $most }.
    [many] Esto cuesta { $cost } de créditos, y te quedan { $left }; mañana vuelves a tener { $most }.
   *[other] Esto cuesta { $cost } créditos, y te quedan { $left }; mañana vuelves a tener { $most }.
}
denied-credits-day = { $cost ->
    [one] Esto cuesta { $cost } crédito, y tu límite diario es { $most }; con menos imágenes, menos pasos o un tamaño menor cuesta menos.
    [many] Esto cuesta { $cost } de créditos, y tu límite diario es { $most }; con menos imágenes, menos pasos o un tamaño menor cuesta menos.
   *[other] Esto cuesta { $cost } créditos, y tu límite diario es { $most }; con menos imágenes, menos pasos o un tamaño menor cuesta menos.
}
denied-credits-place = { $cost ->
    [one] Esto cuesta { $cost } crédito, y en este chat quedan { $left }; mañana vuelve a haber { $most }.
    [many] Esto cuesta { $cost } de créditos, y en este chat quedan { $left }; mañana vuelve a haber { $most }.
   *[other] Esto cuesta { $cost } créditos, y en este chat quedan { $left }; mañana vuelve a haber { $most }.
}
denied-credits-here = { $cost ->
    [one] Esto cuesta { $cost } crédito. En este chat cada usuario tiene { $most } al día, y hoy te quedan { $left }.
    [many] Esto cuesta { $cost } de créditos. En este chat cada usuario tiene { $most } al día, y hoy te quedan { $left }.
   *[other] Esto cuesta { $cost } créditos. En este chat cada usuario tiene { $most } al día, y hoy te quedan { $left }.
}

## Las peticiones

card-starting = a punto de empezar
card-next = la siguiente
card-waiting = { $place } en la cola
card-waiting-time = { $place }, faltan aprox. { $time }
card-paused = en pausa por un moderador
card-cancelled = cancelada
card-failed = No ha funcionado.
card-deleted = borrada
button-again = Otra vez
button-cancel = Cancelar
button-vary = Variar
button-edit = Editar…
form-edit = Editar y pintar de nuevo
form-branch = Nueva versión de esta imagen
button-info = Info
button-favourite = Favorita
button-unfavourite = Quitar de favoritas
button-favourites = Favoritas
button-branch = Nueva versión…
button-compare = Comparar
button-resend = Enviar de nuevo
button-own = Crear la mía
button-delete = Borrar
button-more = Más
button-first = Poner al principio
button-retry = Reintentar
queue-empty = No tienes peticiones abiertas.
queue-open = { $count ->
    [one] Tienes { $count } petición abierta.
    [many] Tienes { $count } de peticiones abiertas.
   *[other] Tienes { $count } peticiones abiertas.
}
queue-running = en curso
cancel-done = Cancelada: { $words }
cancel-late = Esta petición ya ha terminado y no se puede cancelar.
move-done = Movida: { $words }
move-not = Esta petición no se puede mover ahí: no está en espera o ya está en ese lugar.
retry-done = De nuevo en la cola: { $words }
retry-not = Esta petición no ha fallado; no hay nada que reintentar.
resend-done = Se envía otra vez: { $words }
resend-not = Ya ha llegado o está en camino.
quota-none = No tienes ningún límite.
quota-some = Tus créditos. Se renuevan a medianoche ({ $zone }).
quota-left = quedan { $left } de { $most }
fact-today = hoy
fact-here = tú, en este chat
fact-place = todos, en este chat
fact-granted = adicionales
grant-done = { $extra ->
    [one] { $name } tiene ahora { $extra } crédito adicional.
    [many] { $name } tiene ahora { $extra } de créditos adicionales.
   *[other] { $name } tiene ahora { $extra } créditos adicionales.
}
pause-place = En pausa en este chat: { $count ->
    [one] { $count } petición
    [many] { $count } de peticiones
   *[other] { $count } peticiones
} y todas las nuevas.
resume-place = Reanudado en este chat: { $count ->
    [one] { $count } petición
    [many] { $count } de peticiones
   *[other] { $count } peticiones
}.
pause-person = En pausa para { $name }: { $count ->
    [one] { $count } petición
    [many] { $count } de peticiones
   *[other] { $count } peticiones
} y todas las nuevas.
resume-person = Reanudado para { $name }: { $count ->
    [one] { $count } petición
    [many] { $count } de peticiones
   *[other] { $count } peticiones
}.
delete-done = Borrada: { $words }
favourite-on = { GIVEN($folder) ->
    [yes] Añadida a favoritas, en la carpeta «{ $folder }»: { $words }
   *[no] Añadida a favoritas: { $words }
}
favourite-off = Quitada de favoritas: { $words }
compare-first = No hay ninguna imagen anterior con la que comparar; escribe los ID de dos imágenes.
compare-same = Las dos imágenes tienen los mismos ajustes.
compare-differs = { $first } → { $second }
compare-nothing = sin definir
compare-caption = semilla { $seed } · pasos: { $steps } · { $model }
history-page = { GIVEN($words) ->
    [yes] { $count ->
        [1] 1 imagen coincide con «{ $words }».
       *[other] { $first } a { $last } de { $count } imágenes que coinciden con «{ $words }».
    }
   *[no] { $count ->
        [1] Tienes 1 imagen.
       *[other] { $first } a { $last } de { $count } imágenes.
    }
}
history-next = Para ver más: /history { $words } --page { $page }
history-none = { GIVEN($words) ->
    [yes] Ninguna de tus imágenes tiene «{ $words }» en el prompt.
   *[no] Aún no tienes imágenes; escribe qué te gustaría ver.
}
history-nothing = Ninguna imagen que puedas ver aquí coincide con «{ $words }».
history-end = No hay página { $page }; tus { $count } imágenes están en las anteriores.
card-compared = { $status }. { $verdict }
device = { $device }, { $dtype }
compared-same = { GIVEN($changes) ->
    [yes] Idéntica a la original, a pesar de los cambios: { $changes }.
   *[no] Idéntica a la original.
}
compared-other = { GIVEN($changes) ->
    [yes] No es idéntica a la original: { $changes }.
   *[no] No es idéntica a la original; Easel no puede determinar por qué.
}
compared-unknown = No se guardó cómo se pintó la original, así que no se pueden comparar.
compared-asked = { $name } tenía otro valor
compared-model = el modelo ha cambiado
compared-file = el archivo del modelo { $name } ha cambiado
compared-files = { $count ->
    [one] ha cambiado otro archivo del modelo
    [many] han cambiado otros { $count } de archivos del modelo
   *[other] han cambiado otros { $count } archivos del modelo
}
compared-schedule = los ajustes del scheduler han cambiado
compared-version = { $name } { $now } en vez de { $before }
compared-is-now = { $now } en vez de { $before }
compared-compiled = { $now ->
    [1] el modelo ahora está compilado
   *[other] el modelo ya no está compilado
}
compared-memory = faltó memoria para una de las dos
compared-batch = el tamaño del lote era distinto
job-unreadable = Esta petición es de otra versión de Easel y no se puede leer; envía el prompt otra vez.
job-poison = Esta petición ha fallado { $attempts } veces y no se volverá a intentar. Prueba con una imagen más pequeña u otro prompt.

## Los datos de una imagen

fact-prompt = prompt
fact-negative = negativo
fact-drawn = elección al azar
fact-model = modelo
fact-size = tamaño
fact-seed = semilla
fact-steps = pasos
fact-guidance = guía
fact-scheduler = scheduler
fact-strength = intensidad
fact-count = imágenes
fact-smaller = más pequeña si falta memoria
fact-yes = sí
fact-cost = precio
fact-painted = pintada
fact-seconds = duración
fact-hash = hash del modelo
fact-versions = software
fact-device = dispositivo
fact-compared = comparación
fact-id = ID
fact-folders = tus carpetas
size = { $width } × { $height }
number = { $amount }
ordinal = { $place }.ª
time-moment = { $day }/{ $month }/{ $year } { $time } UTC

## Ayuda y explicación

help-all = Describe una imagen o usa un comando. /help NOMBRE explica un comando.
help-one = { $usage }: { $help }
about-flag = opción
about-needed = obligatorio
about-choices = opciones: { $offered }
about-picture = como adjunto, enlace o ID de una de tus imágenes
about-yes-no = yes o no
about-such = por ejemplo { $offered }
about-also = también { $names }
about-default = por defecto: { $default }
about-range = de { $low } a { $high }
about-least = mínimo { $low }
about-most = máximo { $high }
docs-commands = Comandos
docs-commands-intro = Generado a partir de las declaraciones de bot/commands con python -m bot.commands.reference > docs/commands.md; una línea sin comando es un prompt para /imagine.
docs-flags = Opciones
docs-flags-intro = Todo lo que no es el prompt se indica con opciones, en cualquier orden.
docs-prompts = Prompts
docs-prompts-intro = Un prompt tiene hasta { $most } caracteres; un mensaje puede incluir hasta { $several } prompts.
docs-history = Buscar
docs-history-intro = /history admite palabras y filtros en cualquier orden; un valor con espacios va entre comillas.
docs-write = escribes
docs-means = significado
input-preset-none = «none» significa «sin preset»; elige otro nombre.
input-preset-name = { $given } no es un nombre válido para un preset; debe ser una palabra de hasta 32 letras, cifras, - y _.
input-preset-unknown = { GIVEN($nearest) ->
    [yes] Aquí no existe el preset «{ $given }»; ¿querías decir «{ $nearest }»?
   *[no] Aquí no existe el preset «{ $given }». /preset list muestra los que puedes usar.
}
input-preset-locked = En «{ $preset }» no se puede cambiar { $name }; haz una copia con /preset fork { $preset } para cambiarlo.
input-preset-most = En «{ $preset }» el máximo de { $name } es { $most }.
input-preset-words = { GIVEN($slots) ->
    [yes] «{ $preset }» no admite texto libre, solo { $slots }.
   *[no] «{ $preset }» no admite texto libre.
}
input-preset-slot = A «{ $preset }» le falta { $name }; escribe /preset use { $preset } { $name }:"…".
input-preset-other = «{ $name }» cambió mientras el formulario estaba abierto; ábrelo otra vez.
button-fill = Rellenar…
input-preset-empty = Un preset necesita un prompt, un prompt negativo o un ajuste.
input-preset-ceiling = { $given } no es un límite; escribe, por ejemplo, steps=30.
input-preset-over = El valor de { $name } en el preset supera su propio límite de { $most }; baja el valor o sube el límite.
input-preset-row = { $given } contiene algo que no es un preset.
input-preset-taken = Ya tienes un preset «{ $name }»; elige otro nombre.
input-preset-taken-there = Ahí ya existe un preset «{ $name }»; haz una copia del tuyo con otro nombre y comparte la copia.
input-preset-elsewhere = «{ $name }» ya está compartido en otro chat; antes, deja de compartirlo con /preset share { $name } --off.
input-presets-format = Easel no conoce este formato de archivo. Lee presets de su propio JSON, del styles.csv de A1111, del JSON de Fooocus y del CSV de InvokeAI.
input-presets-large = Un archivo de presets puede tener hasta { $most } bytes.
input-presets-many = Un archivo de presets puede contener hasta { $most } presets.
input-presets-lines = Un archivo de presets puede tener como máximo { $most } líneas.
input-preset-quote = En la fila de «{ $given }» hay unas comillas sin cerrar. Ciérralas, o escribe dos seguidas dentro de una celda.
input-presets-nothing = Adjunta un archivo de presets o escribe su contenido después de /preset import --text.
denied-preset = No tienes ningún preset así. /preset list muestra los que puedes usar.
preset-kept = Preset «{ $name }» guardado.
preset-changed = Preset «{ $name }» modificado; esta es la versión { $version }.
preset-forked = Copiado a tus presets como «{ $name }» (original de { $maker }).
preset-shared = Ahora todos pueden usar «{ $name }» en este chat.
preset-unshared = «{ $name }» vuelve a ser privado.
preset-shared-everybody = Ahora todos los usuarios pueden usar «{ $name }».
preset-none = { GIVEN($words) ->
    [yes] Ningún preset contiene «{ $words }» en el nombre, las etiquetas o el prompt.
   *[no] Aún no hay presets; /preset save guarda uno.
}
preset-list = Puedes pintar con estos presets:
preset-next = Para ver más: /preset list { $words } --page { $page }
preset-end = No hay página { $page }; la lista es más corta.
preset-which = ¿Qué preset?
preset-which-here = ¿Qué preset? Estos están compartidos aquí; para usar otro, escribe /preset use NOMBRE.
preset-line = { $words } · { $maker } · { $uses ->
    [one] usado una vez
    [many] usado { $uses } veces
   *[other] usado { $uses } veces
}
preset-archived = «{ $name }» está archivado. /preset save { $name } lo restaura.
preset-removed = «{ $name }» está archivado.
preset-exported = { $count ->
    [one] Un preset exportado.
    [many] { $count } de presets exportados.
   *[other] { $count } presets exportados.
}
preset-imported = { $count ->
    [one] Un preset importado
    [many] { $count } de presets importados
   *[other] { $count } presets importados
}{ $refused ->
    [0] .
   *[other] ; sin importar: { $refused }.
}
preset-nameless = sin nombre
preset-shown = { $name }, versión { $version }, de { $maker }
preset-after = { $name } de { $maker }
somebody = alguien
form-preset = Guardar como preset
button-use = Usar
button-fork = Copiar
button-archive = Archivar
button-preset = Guardar preset…
fact-slots = campos
fact-locked = bloqueados
fact-most = límites
fact-tags = etiquetas
fact-after = original
fact-revisions = versiones
fact-uses = usos
explain-of-preset = { $value } (del preset)
input-settled = Un ajuste guardado ya no es válido: { $reason } { GIVEN($here) ->
    [yes] Un moderador puede restablecerlo con /settings --here --without { $name }.
   *[no] Restablécelo con /settings --without { $name }.
}
fact-preset = preset
input-share = Indica qué quieres compartir: una imagen o un prompt, no las dos cosas.
input-board-none = Este chat aún no tiene tablón; con /share publicas lo primero.
denied-share = No hay nada compartido con este código. Comprueba el código.
share-done = Compartido en el tablón. /use { $code } lo pinta en cualquier chat.
board-none = El tablón está vacío; con /share publicas algo.
board-end = No hay página { $page }; el tablón tiene menos páginas.
board-page = { $count ->
    [1] 1 publicación en el tablón.
   *[other] { $first } a { $last } de { $count } publicaciones en el tablón.
}
board-line = { $words } · { $maker } · { $votes ->
    [one] 1 me gusta
    [many] { $votes } de me gusta
   *[other] { $votes } me gusta
} · { $uses ->
    [one] usada una vez
    [many] usada { $uses } veces
   *[other] usada { $uses } veces
} · { $code }
board-pinned = 📌
like-done = { $count ->
    [0] Ya no le gusta a nadie.
    [one] Le gusta a una persona.
    [many] Les gusta a { $count } de personas.
   *[other] Les gusta a { $count } personas.
}
report-done = Denuncia enviada. Los moderadores del tablón la revisarán.
report-line = { $count ->
    [one] denunciada una vez
    [many] denunciada { $count } veces
   *[other] denunciada { $count } veces
}: { $line }
reports = Publicaciones denunciadas; /remove CÓDIGO quita una del tablón, /dismiss CÓDIGO la deja.
reports-none = No hay denuncias.
report-reasons = { $line } · motivo: { $reasons }
dismiss-done = { $count ->
    [0] Esta publicación no estaba denunciada.
    [one] La publicación se queda en el tablón; la denuncia se ha descartado.
    [many] La publicación se queda en el tablón; las { $count } de denuncias se han descartado.
   *[other] La publicación se queda en el tablón; las { $count } denuncias se han descartado.
}
pin-done = Fijada en lo alto del tablón.
unpin-done = Ya no está fijada.
remove-done = Quitada del tablón.
button-like = Me gusta
button-share = Compartir
rules = Reglas para los miembros de este chat:
rules-none = Este chat no tiene reglas: no hay comandos bloqueados, límites ni imágenes ocultas.
input-always-open = /{ $name } siempre está disponible para todos y no se puede bloquear.
denied-closed = /{ $name } está bloqueado en este chat.
input-place-most = En este chat { $name } puede ser como máximo { $most }.
fact-closed = comandos bloqueados
fact-paints = aún se puede pintar con
fact-credits = créditos
rules-credits = { $credits } al día para cada miembro
fact-cover = imágenes
cover-here = ocultas hasta que las pulses
cover-everywhere = ocultas en todas partes hasta que las pulses (lo decide el administrador)
digest-on = El resumen semanal está activado. El próximo llega el { $next }, si hay novedades.
digest-on-yours = El resumen semanal de tus grupos está activado. El próximo llega el { $next }, si hay novedades.
digest-off = El resumen semanal está desactivado. Los moderadores pueden activarlo con /digest on.
digest-off-yours = El resumen semanal de tus grupos está desactivado. Actívalo con /digest on.
denied-digest = Easel no es miembro de este chat y no puede publicar aquí el resumen. Invítalo o escribe /digest on en tu chat privado con Easel.
digest-news = { $count ->
    [one] Esta semana se ha compartido una publicación nueva.
    [many] Esta semana se han compartido { $count } de publicaciones nuevas.
   *[other] Esta semana se han compartido { $count } publicaciones nuevas.
}
digest-news-since = { $count ->
    [one] Desde el { $since } se ha compartido una publicación nueva.
    [many] Desde el { $since } se han compartido { $count } de publicaciones nuevas.
   *[other] Desde el { $since } se han compartido { $count } publicaciones nuevas.
}
digest-best = Estas son las { $count } que más gustan.
digest-end = Con /digest off desactivas el resumen semanal.
button-board = Tablón
group-code = En el otro grupo, un moderador debe escribir /group link { $code }. El código sirve una sola vez y dura una hora.
group-answer = Ahora escribe /group link { $code } en el grupo del primer código. El código sirve una sola vez y dura una hora.
group-joined = Los dos grupos comparten ahora un tablón; /group unlink los vuelve a separar.
group-parted = Este chat vuelve a tener su propio tablón. Las publicaciones anteriores se quedan en el compartido.
input-group-alone = Este chat no comparte su tablón con ningún otro grupo.
input-group-code = El código no es válido o ha caducado; /group link crea uno nuevo.
gallery-title = Galería
gallery-chat = Chat
gallery-order = Orden
gallery-order-new = Más recientes
gallery-order-used = Más usadas
gallery-order-liked = Las que más gustan
gallery-pages = Páginas
gallery-before = Anterior
gallery-none = Aún no hay nada compartido en tus grupos. Con /share publicas algo en su tablón.
gallery-by = { $maker } · { $votes ->
    [one] 1 me gusta
    [many] { $votes } de me gusta
   *[other] { $votes } me gusta
} · { $uses ->
    [one] usada una vez
    [many] usada { $uses } veces
   *[other] usada { $uses } veces
}
settings-yours = Tus valores por defecto, para lo que no indiques:
settings-here = Valores por defecto de este chat. Cambia uno con /settings --here --steps 30; restablécelo con /settings --here --without steps.
settings-kept = Guardado.
language-name = español
fact-language = idioma
form-settings = Tus valores por defecto
form-paint = Pintar
form-keep = Guardar
button-settings = Cambiar…
explain-read = Así entiende Easel tu prompt; todavía no se ha pintado nada.
explain-refused = Esto no se puede pintar: { $reason }
explain-drawn = { $drawn } (al azar; con --seed se repite)
explain-weight = { $words } (peso { $weight })
explain-part = { " " }| luego |{ " " }
explain-of-you = { $value } (indicado por ti)
explain-of-settings = { $value } (de tus ajustes)
explain-of-place = { $value } (de los ajustes de este chat)
explain-of-model = { $value } (por defecto)
explain-of-picture = { $value } (de tu imagen)
explain-seed = al azar
explain-cost = { $credits ->
    [one] { $credits } crédito, aprox. { $time }
    [many] { $credits } de créditos, aprox. { $time }
   *[other] { $credits } créditos, aprox. { $time }
}

## La gramática de los prompts

input-prompts-empty = El prompt está vacío. Describe qué debe mostrar la imagen.
input-prompts-many = Un mensaje puede tener hasta { $most } prompts separados por ||; este tiene { $given }.
input-prompt-choices = Las alternativas como {"{"}red|green{"}"} pueden tener hasta { $most } niveles.
input-prompt-images = Un prompt solo puede partir de una imagen; deja un solo {"{"}image{"}"}.
input-prompt-lora = { $given } pide un LoRA, y Easel aún no los admite. Como texto normal se escribe { $plain }.
input-prompt-concept = { $given } pide una textual inversion, y Easel aún no las admite. Como texto normal se escribe { $plain }.
input-prompt-list = { $given } pide una lista de wildcards, y Easel aún no las admite. Como texto normal se escribe { $plain }.
input-prompt-editing = { $given } cambia el prompt a mitad de la imagen, y Easel aún no lo admite. Como texto normal se escribe \[ y \].
input-prompt-alternation = { $given } alterna palabras mientras se genera la imagen, y Easel aún no lo admite. {"{"}cat|dog{"}"} elige una al azar.
input-prompt-together = AND entre prompts los combina, y Easel aún no lo admite. Escribe «and», o { $plain } para la palabra normal.
input-prompt-share = { $given } da peso a partes del prompt como en Midjourney. Easel escribe los pesos entre paréntesis, como (cat:1.3); como texto normal se escribe { $plain }.

## Opciones

input-line-long = Un mensaje puede tener hasta { $most } caracteres; este tiene { $given }.
input-flag-unknown = { GIVEN($nearest) ->
    [yes] No existe la opción --{ $given }; ¿querías decir --{ $nearest }? Como texto normal se escribe \--{ $given }.
   *[no] No existe la opción --{ $given }. Puedes usar: { $offered }. Como texto normal se escribe \--{ $given }.
}
input-flag-twice = --{ $name } aparece dos veces; indícalo una sola vez.
input-flag-value = Falta el valor después de --{ $given }: { $help }.

## Enlaces a imágenes

input-link-form = Un enlace a una imagen es como https://example.com/picture.png, sin nombre de usuario ni caracteres especiales.
input-link-unreachable = Easel no puede descargar nada de { $host }; guarda la imagen y adjúntala.
input-link-redirects = El enlace redirige más de { $most } veces; usa el enlace directo a la imagen.
input-link-no-picture = El enlace no lleva a ninguna imagen PNG, JPEG o WebP; usa el enlace directo a la imagen o adjúntala.
input-link-big = La imagen del enlace supera los { $most } megabytes; usa una copia más pequeña.
input-link-slow = La imagen del enlace no llegó en { $seconds } s; guárdala y adjúntala.

## Imágenes de partida

picture-bytes = La imagen tiene { MILLIONS($given) } MB; se admiten hasta { MILLIONS($most) } MB. Usa una copia más pequeña o un JPEG.
picture-format = Easel no puede leer este formato de imagen; lee { $offered }.
picture-pixels = La imagen tiene { $width } × { $height } píxeles; se admiten hasta { MILLIONS($most) } megapíxeles. Usa una copia más pequeña.
picture-parts = El archivo de imagen tiene más de { $most } partes, muchas más de lo normal. Vuelve a guardarlo con un editor de imágenes.
picture-scans = El JPEG tiene más de { $most } capas, muchas más de lo normal. Vuelve a guardarlo con un editor de imágenes.
picture-broken = El archivo { $format } está dañado o incompleto. Guárdalo o envíalo otra vez.

## Lo que permite un modelo

range-number = { $name } debe estar entre { $low } y { $high }; has escrito { $given }.
range-multiple = { $name } debe ser múltiplo de { $multiple }; has escrito { $given }, y el más cercano es { $nearest }.
range-pixels = { $width } × { $height } es demasiado grande para este modelo: pinta hasta { $most } píxeles en total.
range-no-steps = { $steps ->
    [one] Con { $steps } paso e intensidad { $strength } no cambia nada; la intensidad debe ser como mínimo { $least }.
    [many] Con { $steps } de pasos e intensidad { $strength } no cambia nada; la intensidad debe ser como mínimo { $least }.
   *[other] Con { $steps } pasos e intensidad { $strength } no cambia nada; la intensidad debe ser como mínimo { $least }.
}
range-dtype = dtype debe ser uno de { $offered }, pero es { $given }.
range-inputs = Para { $mode }, el número de imágenes de tipo { $role } tiene que ser { $wanted }; has dado { $given }.
unknown-model = { GIVEN($nearest) ->
    [yes] No existe el modelo { $given }; ¿querías decir { $nearest }?
   *[no] No existe el modelo { $given }. Puedes usar: { $offered }.
}
unknown-scheduler = { GIVEN($nearest) ->
    [yes] Este modelo no tiene el scheduler { $given }; ¿querías decir { $nearest }?
   *[no] Este modelo no tiene el scheduler { $given }. Puedes usar: { $offered }.
}
unknown-mode = Easel no tiene ningún modo para { $given }. Hay: { $offered }.
unknown-mode-here = El modelo { $model } no hace { $given }; necesita { $offered }.
unknown-option-here = El modelo { $model } no admite { $name }; déjalo fuera o elige otro modelo.

## Modelos que no se pueden usar

model-not-finite = El modelo { $model } calculó números no válidos en lugar de una imagen y no se cobró nada. Prueba otro modelo; el administrador puede revisar el archivo o poner dtype en float32.
model-missing = { $path } no existe o no se puede leer. Pon ahí el modelo o corrige la ruta en la configuración.
model-folder-missing = La carpeta de modelos { $path } no existe. Créala o corrige models_dir en la configuración.
model-name = { $path } no es un nombre válido para un modelo. Usa hasta 80 letras, cifras, espacios y . _ + - ( ), y no repitas ningún nombre.
model-outside = { $path } es o contiene un enlace que sale de la carpeta de modelos. Mueve los archivos a la carpeta o indica su propia ruta en la configuración.
model-pickled = { $path } contiene pesos en formato pickle, que al abrirse pueden ejecutar cualquier código. Usa el archivo .safetensors del modelo o conviértelo en otro equipo.
model-unreadable = { $path } no es un archivo safetensors legible ni la configuración de un modelo. Descárgalo otra vez.
model-timesteps = La configuración del planificador de { $path } indica { $given } pasos de entrenamiento (num_train_timesteps). Se admite un número entero hasta { $most }; lo habitual es 1000.
model-truncated = { $path } está incompleto: tiene { $bytes } bytes y debería tener { $promised }. Descárgalo otra vez.
model-pointer = { $path } es solo un puntero de Git LFS y no contiene los pesos. Descarga el archivo con git lfs pull o desde su página.
model-unfamiliar = { $path } no es un modelo de Stable Diffusion 1, 2, XL o 3. Los LoRA, los ControlNet y las partes sueltas de un modelo no van aquí.
model-refiner = { $path } es un refiner de SDXL, que no puede pintar solo. Usa un modelo base de SDXL.
model-mode = { $path } acepta { $channels } canales de entrada, como los modelos de edición por instrucciones o por profundidad. Usa el modelo normal de la misma familia.
model-ema-names = { $path } solo contiene pesos promediados con sus nombres de entrenamiento. Usa el archivo EMA-only que su autor preparó para pintar.
model-not-folder = { $path } es una carpeta sin model_index.json. Indica la carpeta de un modelo diffusers completo o un archivo .safetensors.
model-part-missing = A { $path } le falta la parte { $part }. Descarga el modelo otra vez o indica una carpeta config que la contenga.
model-variant = { $path } mezcla variantes que no van juntas. Descarga todas las partes en una sola variante: normal, fp16 o bf16.
model-class = { $path } pide { $given } como { $part }, y Easel no lo admite. Usa un modelo corriente de Stable Diffusion 1, 2, XL o 3.
model-prediction = { $path } usa la predicción «{ $given }», que su familia no admite. Puede ser { $offered }; flow es solo para Stable Diffusion 3.
model-card = La ficha del modelo { $path } no es válida: { $reason }.
model-family = Al modelo { $name } le falta family. Escribe una de estas en su tabla de la configuración: { $offered }.
model-other-family = El modelo { $name } está configurado con la familia { $given }, pero sus archivos son de { $found }. Corrige la familia en la configuración.
model-config-needed = { $path } es un solo archivo sin tokenizer. Indica una config para el modelo { $name }: una carpeta diffusers de { $family }.
model-not-fetched = El modelo { $source } no está en este equipo: { $reason }. Descárgalo antes o permite descargas en la configuración.
model-broken = No se pudo cargar { $path }: { $reason }.
model-incomplete = A { $path } le faltan pesos. Descárgalo otra vez.

## Dónde se guardan las imágenes

output-folder-missing = No existe la carpeta { $folder } para la imagen. Créala o elige otra.
output-folder-unwritable = No se puede escribir en la carpeta { $folder }. Elige otra o cambia sus permisos.
output-file-unwritable = No se puede sobrescribir el archivo { $file }. Elige otro nombre.
output-is-folder = { $file } es una carpeta; indica un archivo dentro de ella.
output-not-png = Easel escribe archivos PNG, que incluyen los ajustes; llama al archivo { $right }.
output-unkept = No se pudo guardar la imagen: { $reason }.
output-file-failed = No se pudo escribir { $file }: { $reason }.
output-failed = No se pudo escribir la imagen en { $file }: { $reason }.

## Pintar en la terminal

paint-loading = cargando el modelo
paint-step = paso { $n } de { $of }
paint-step-left = { $done }, faltan aprox. { $left }
paint-result = { $prompt } · { $steps ->
    [one] { $steps } paso
    [many] { $steps } de pasos
   *[other] { $steps } pasos
} · semilla { $seed } · { $seconds } s
paint-result-several = { $prompt } · { $count } imágenes · { $steps ->
    [one] { $steps } paso
    [many] { $steps } de pasos
   *[other] { $steps } pasos
} · semillas { $seed } a { $last } · { $seconds } s
paint-no-words = sin prompt
paint-cancelled = Cancelada.
paint-left = Otro proceso de Easel se ha encargado de esta imagen: easel run la pinta y guarda el archivo.
time-seconds = { $seconds } s
time-minutes = { $minutes } min
time-hours = { $hours } h

## Funcionamiento y acceso

input-token-name = Un token necesita un nombre: el del usuario al que da acceso.
input-one-prompt = easel paint acepta un solo prompt; ejecútalo una vez para cada uno.
person-none = Aún no hay usuarios.
person-set = { $name }: rol { $role }, nivel { $tier }.
run-ending = { $count ->
    [one] Se está terminando una imagen; pulsa Ctrl-C otra vez para parar de inmediato.
    [many] Se están terminando { $count } de imágenes; pulsa Ctrl-C otra vez para parar de inmediato.
   *[other] Se están terminando { $count } imágenes; pulsa Ctrl-C otra vez para parar de inmediato.
}
run-web = El chat web está en { $address }
token-revoked = { $count ->
    [0] { $name } no tenía ningún token.
    [one] Se ha revocado un token de { $name }.
    [many] Se han revocado { $count } de tokens de { $name }.
   *[other] Se han revocado { $count } tokens de { $name }.
}

## Datos personales

export-done = { $file } contiene todos los datos de { $name }: { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
}, { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}.
forget-ask = ¿Borrar definitivamente todos los datos de { $name }, incluidas { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
} y { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}?
forget-done = Se han borrado todos los datos de { $name }, incluidas { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
} y { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}.
forget-not = No se ha borrado nada.
forget-none = No ha reaparecido ningún usuario borrado.
input-forget-whom = Indica qué usuario quieres borrar o, después de restaurar una copia de seguridad, --again sin nombre.
input-forget-yes = Aquí no se puede pedir confirmación; escribe --yes para borrar sin preguntar.
audit-none = El registro de auditoría está vacío.
link-code = En la otra plataforma, escribe /link { $code } antes de { $minutes } minutos; el código sirve una sola vez. Después elige «Comprobar» aquí. No se vincula nada hasta que aceptes.
link-waits = Aún no se ha escrito el código.
link-typed = Solicitud enviada. Elige «Comprobar» donde recibiste el código y acepta allí. Las dos cuentas compartirán historial, presets y ajustes; los créditos de hoy cuentan una sola vez.
link-asks = { GIVEN($role) ->
    [yes] ¿Es esta tu otra cuenta? Las dos compartirán historial, presets, ajustes y créditos, y tu rol de { $role } valdrá para ambas. Si no es tuya, elige «No».
   *[no] ¿Es esta tu otra cuenta? Las dos compartirán historial, presets, ajustes y créditos. Si no es tuya, elige «No».
}
link-nameless = sin nombre
link-joined = Tus cuentas ya están vinculadas: { $platforms }.
link-refused = Las cuentas no se han vinculado. El código ya no es válido.
input-link-code = El código no es válido o ha caducado; /link crea uno nuevo.
denied-link = No hay ninguna solicitud de vinculación; /link crea un código nuevo.
unlink-done = Tu cuenta de { $gone } ya es independiente. El historial y los presets se quedan en { $left }; los créditos gastados hoy cuentan para ambas.
input-unlink = No tienes ninguna cuenta vinculada en { $given }. Tus cuentas: { $offered }.
denied-unlink = Es tu única cuenta vinculada, así que no hay nada que desvincular.
denied-person-new = Tu cuenta se acaba de vincular o desvincular. Envía eso otra vez.
me-export = Estos son todos los datos que se guardan de ti: { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
}, { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}.
me-export-rows = Estos son todos los datos que se guardan de ti, pero sin las imágenes, que juntas ocupan demasiado: { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
}, { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}. El administrador puede entregártelo todo con easel export.
denied-export = Tus datos ocupan demasiado para un mensaje; el administrador puede entregártelos con easel export.
me-forget-ask = ¿Borrar definitivamente todos tus datos en { $platforms }, incluidas { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
} y { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}? No se puede deshacer. Lo publicado en los chats se queda allí hasta que lo borres.
me-forgotten = Se han borrado todos tus datos, incluidas { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
} y { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}. Si vuelves a escribir, empezarás como usuario nuevo.
denied-forget = Esta pregunta era para otra persona; escribe tú /me forget.
input-forget-late = Esta pregunta ha caducado; escribe /me forget otra vez.
button-check = Comprobar
button-join = Vincular cuentas
button-join-no = No
button-forget = Borrar mis datos
fact-name = nombre

## Los modelos en la terminal

models-name = nombre
models-title = título
models-family = familia
models-kind = formato
models-variant = variante
models-prediction = predicción
models-precision = precisión
models-megabytes = megabytes
models-size = tamaño
models-steps = pasos
models-schedulers = schedulers
models-options = opciones
models-words = palabras

## easel doctor

doctor-state-ok = correcto
doctor-state-note = aviso
doctor-state-problem = problema
doctor-python = Python { $version }
doctor-config = La configuración es { $file }.
doctor-no-config = Aquí no hay easel.toml, así que todo tiene su valor por defecto; config.example.toml muestra todos los ajustes.
doctor-library = { $name } { $version }
doctor-library-missing = { $name } no está instalado; escribe: pip install -c requirements.lock -e .
doctor-gpu = GPU: { $name }
doctor-gpu-unused = Hay una GPU, pero torch está instalado en su versión para CPU. Para usar la GPU, ejecuta: python -m pip install --force-reinstall torch=={ $version } --index-url https://download.pytorch.org/whl/cu130
doctor-gpu-missing = La configuración indica los dispositivos { $devices }, pero no se ha encontrado ninguna GPU NVIDIA; pon [inference] devices en ["auto"] o arregla el controlador.
doctor-processor = No se ha encontrado ninguna GPU NVIDIA; se pinta con la CPU: rápido con el modelo de demostración, lento con los grandes.
doctor-model = Modelo { $name } ({ $family }): { $source }
doctor-model-refused = El modelo { $name } de la configuración no se puede usar. { $reason }
doctor-models-folder-missing = Aún no existe la carpeta de modelos { $folder }. Créala y pon modelos en ella; Easel los encuentra solo.
doctor-store = La base de datos { $store } está al día.
doctor-store-blank = La base de datos { $store } se creará en el primer arranque.
doctor-page = El chat web estará en { $address }
doctor-page-login = El chat web estará en { $address } y pedirá un token. Crea uno con: easel token create NAME
doctor-folder = Se pueden guardar imágenes en { $folder }.
doctor-next = A continuación: easel run
doctor-next-mend = A continuación: arregla los problemas de arriba y ejecuta easel doctor otra vez.

## La generación de imágenes

memory-smaller = Pintada en { $width } × { $height } en vez de { $asked }: no había memoria para más.
memory-spent = { $width } × { $height } no cabe en la memoria de este dispositivo. Usa un tamaño menor.
worker-died = El generador de imágenes de { $device } ha fallado y se ha reiniciado. Inténtalo otra vez.
worker-hung = El generador de imágenes de { $device } no respondió durante { $seconds } s y se ha reiniciado. Inténtalo otra vez.
worker-garbled = El generador de imágenes dio una respuesta no válida y se ha reiniciado. Inténtalo otra vez.
worker-start = El generador de imágenes no arranca ({ $kind }); quizá easel doctor muestre por qué.

## El adaptador web

config-port = Otro programa usa el puerto { $port } de { $host }; elige otro con port en [web] o cierra ese programa.
config-listen = El chat web no puede recibir conexiones en { $host }, puerto { $port }: { $reason }. Corrige host y port en [web].
config-public-url = [web] public_url debe ser una dirección como https://easel.example, pero es { $given }.
web-host = Este servidor no responde al nombre { $host }. El administrador puede poner en [web] public_url la dirección que usan los usuarios.
web-origin = Eso venía de la página de otro sitio. Usa la página de Easel.
web-large = Una imagen puede tener hasta { $most } MB y un mensaje hasta { $line } caracteres; esto es más.
web-busy = Easel está recibiendo muchas imágenes ahora. Inténtalo de nuevo en unos segundos.
web-slow = La conexión es demasiado lenta: lo que enviaste no llegó a tiempo. Envía una imagen más pequeña.
web-form = El formulario ha llegado incompleto. Envíalo otra vez.
web-login = No has iniciado sesión. Inicia sesión con tu token.
web-reload = Esta página está desactualizada. Vuelve a cargarla.
web-metrics = Las métricas necesitan un token: envía el encabezado Authorization: Bearer TOKEN.
web-tries = Demasiados tokens incorrectos. Espera un minuto e inténtalo otra vez.
web-token = Ese token no es válido. Pide uno nuevo al administrador.
web-file = Esta imagen no existe o no tienes acceso a ella.
web-nothing = No hay nada en esta dirección.
fault-web = Algo ha fallado. El administrador lo encontrará en el registro con el código { $incident }.
example-1 = a large red circle on a blue background
example-2 = a yellow boat by the sea at sunset
example-3 = a yellow star above a purple heart on a white background
input-line-empty = El mensaje está vacío. Describe una imagen o escribe un comando como /help.

## Errores

fault-untold = Algo ha fallado ({ $key }).
fault-incident = Algo ha fallado en Easel. Los detalles están en { $file }.
fault-unexpected = Algo ha fallado al pintar. El administrador lo encontrará en el registro con el código { $incident }.

## El chat web

page-name = Easel
page-skip = Ir al cuadro de mensaje
page-conversation = Conversación
page-panel = Cola e historial
page-queue = Cola
page-queue-empty = No hay peticiones abiertas.
page-history = Historial
page-search = Buscar en tus imágenes
page-noscript = Esta página necesita JavaScript; en la línea de comandos, Easel pinta sin él.
page-said = Resumen semanal
page-earlier = Mostrar anteriores
page-latest = Ir al final
page-empty = ¿Qué te gustaría ver?
page-empty-how = Descríbelo con tus palabras, mejor en inglés. Una línea que empieza con / es un comando, y -- indica una opción.
page-line = Mensaje
page-placeholder = Describe tu imagen
page-form = Ajustes
page-attach = Adjuntar imagen
page-attach-file = Adjuntar archivo
page-detach = Quitar
page-send = Enviar
page-offers = Sugerencias
page-offered = Sugerencias: { $count }
page-close = Cerrar
page-viewer = Imagen
page-download = Descargar
page-before = Anterior
page-after = Siguiente
page-picture-at = { $n } de { $of }
page-cover = Imagen oculta: pulsa para verla
page-cover-short = Oculta
page-cover-again = Volver a ocultar
page-sending = enviando
page-kept = guardado, se enviará cuando tengas conexión
page-edit = Editar
page-discard = Descartar
page-delete-ask = ¿Borrar definitivamente?
page-delete-yes = Borrar definitivamente
page-delete-no = Conservar
page-progress = Progreso
page-offline = Estás sin conexión. Los mensajes se guardan y se envían después.
page-press-away = Estás sin conexión. Inténtalo otra vez cuando la recuperes.
page-logged-out = Has cerrado la sesión. Vuelve a iniciarla para seguir.
page-broken = No se pudo leer la respuesta. Envíalo otra vez.
page-picture-role = Imagen de partida
page-picture-kept = se usa esta si no eliges otra
page-picture-large = La imagen tiene { $given } MB; se admiten hasta { $most } MB. Usa una copia más pequeña o un JPEG.
page-picture-kind = Las imágenes deben ser PNG, JPEG o WebP.
page-file-kind = Los archivos de presets deben terminar en .json o .csv.
page-range = de { $low } a { $high }
page-drop = Suelta la imagen para usarla como imagen de partida
page-drop-file = Suelta el archivo para importarlo
page-yes = sí
page-no = no
page-login = Iniciar sesión
page-login-title = Iniciar sesión
page-login-how = Pide un token al administrador. Se crea con: easel token create NAME
page-login-token = Token
page-logout = Cerrar sesión
page-back = Volver al chat

## La base de datos

db-away = La base de datos no responde ahora, así que no se ha cambiado nada. Inténtalo de nuevo en un minuto.
db-full = El disco de la base de datos está lleno, así que no se ha cambiado nada. Avisa al operador.
db-gone = El archivo de la base de datos se borró mientras Easel estaba en marcha, así que ya no se acepta nada. El operador debe restaurarlo y reiniciar Easel.
db-folder = No se puede crear la carpeta { $folder } para la base de datos: { $reason }.
db-unusable = No se puede usar la base de datos { $database }: { $reason }.
db-behind = Las tablas están en la revisión { $current }; haz una copia de seguridad y actualízalas a { $head } con easel db upgrade.
db-ahead = Las tablas están en la revisión { $current }, más nueva que este Easel ({ $head }). Actualiza Easel o usa otra base de datos.
db-current = { $database } está al día, en la revisión { $current }.
db-blank = { $database } aún no tiene tablas; se crean al arrancar Easel por primera vez o con easel db upgrade.
db-differs = { $database } tiene la revisión correcta, pero sus tablas son distintas: { $where }. Restaura una copia de seguridad o corrígelas a mano.
db-moved = { GIVEN($after) ->
    [yes] { GIVEN($before) ->
        [yes] { $database } ha pasado de la revisión { $before } a la { $after }.
       *[no] { $database } ya tiene tablas, en la revisión { $after }.
    }
   *[no] { $database } ya no tiene tablas.
}
db-stayed = { GIVEN($after) ->
    [yes] { $database } ya está en la revisión { $after }.
   *[no] { $database } no tiene tablas; no había nada que hacer.
}
db-foreign = La base de datos contiene tablas con los mismos nombres que no son de Easel. Usa una base de datos propia o vacía.
input-revision = No se puede llegar a la revisión { $given }. Puedes usar: { $offered }.

## Telegram

run-telegram = Conexión con Telegram: { $address }
telegram-start = Hola, soy { $name } y pinto imágenes a partir de tus descripciones.
telegram-start-words = Escribe lo que quieras ver, mejor en inglés, por ejemplo: a red circle on a blue background.
telegram-start-picture = Para partir de una imagen, envíala con tu prompt o responde a la imagen con el prompt. Más información con /help.
telegram-help-start = Muestra cómo funciona Easel
telegram-ask = /{ $command }: ¿{ $help }?
telegram-picture = Responde a tu imagen y describe en qué debe convertirse.
telegram-edited = Ya se está pintando la primera versión de este mensaje; cámbiala con «Editar…» debajo de la imagen.
telegram-channel = En los canales Easel no acepta peticiones; escribe en un grupo o en un chat privado.
telegram-private = La respuesta es privada, pero Easel aún no puede escribirte. Abre el chat y pulsa «Iniciar».
telegram-open = Abrir el chat
telegram-sent-privately = Te lo he enviado por privado.
telegram-gone = Los botones de este mensaje ya no funcionan; es demasiado antiguo.
telegram-done = Hecho.
telegram-nobody = La respuesta es privada, pero aquí escribes de forma anónima. Abre el chat y pídelo ahí.
telegram-refused = Telegram no ha aceptado el resultado; lo encontrarás con /history.
telegram-unsaid = Telegram no ha aceptado la respuesta; inténtalo otra vez en un minuto.
telegram-link = Este enlace le pide a Easel: { $line }
telegram-closed = Easel no pudo publicar esto en el chat donde lo pediste.
telegram-no-photo = Telegram no admite imágenes de este tamaño; la encontrarás con /history.
telegram-unsure = Puede que las imágenes no hayan llegado: { $words }. Si es así, pulsa el botón.
telegram-broke = Algo ha fallado en Easel. El administrador lo encontrará en el registro con el código { $code }.
telegram-form-answer = Pulsa lo que quieras cambiar o responde a este mensaje con un prompt nuevo.
telegram-form-words = Responde al mensaje con el valor de «{ $name }». Para cualquier otro campo, escribe --name valor.
telegram-form-long = Estos ajustes son demasiado largos para cambiarlos en Telegram; copia el prompt y envíalo de nuevo.
telegram-inline-preset = Pintar con { $name }
telegram-inline-none = Aún no hay imágenes: abrir el chat
telegram-inline-covered = Las imágenes están ocultas: abrir el chat
button-original = Original
doctor-telegram = Telegram: este es { $name }, en { $link }
doctor-telegram-privacy = El modo de privacidad está desactivado: Telegram envía al bot todos los mensajes de sus grupos, aunque solo necesita los comandos. Actívalo en BotFather con /setprivacy.
doctor-telegram-webhook = Telegram envía las novedades a un webhook en otra dirección. Con mode = "polling", Easel lo elimina al arrancar.
doctor-telegram-refused = Telegram no reconoce este token; pídeselo otra vez a BotFather y ponlo en [telegram] token.
doctor-telegram-away = No se puede conectar con Telegram en { $address }: { $reason }. Revisa [telegram] api_base y la red de este equipo.

## Discord

run-discord = Conexión con Discord: { $address }
discord-age = Aquí solo se pinta en canales con restricción de edad. También puedes usar /imagine en un mensaje directo.
discord-broke = Algo ha fallado en Easel. El administrador lo encontrará en el registro con el código { $code }.
discord-done = Hecho.
discord-more = { $count ->
    [one] una más en /history
    [many] { $count } de imágenes más en /history
   *[other] { $count } más en /history
}
discord-pick = { $label }…
discord-below = La imagen llegará en otro mensaje.
discord-too-large = Discord no admite aquí imágenes de este tamaño; la encontrarás con /history.
discord-closed = Easel no pudo publicar esto en el canal donde lo pediste.
discord-range = de { $low } a { $high }
discord-unsure = Puede que tu imagen no haya llegado: { $words }. Si es así, pulsa el botón.
discord-private = La respuesta va por mensaje directo, pero no permites mensajes directos de Easel. Permítelos e inténtalo otra vez.
discord-no-answer = Easel no puede escribir en el canal donde lo pediste. Pide a un moderador que lo permita, o pide la imagen aquí.
discord-menu-source = Usar como imagen de partida
discord-menu-info = Info
discord-menu-again = Otra vez
discord-menu-none = En ese mensaje no hay ninguna imagen de Easel.
discord-menu-no-picture = En ese mensaje no hay ninguna imagen.
doctor-discord = Discord: este es { $name }. Invitación: { $invite }
doctor-discord-refused = Discord no reconoce este token; cópialo otra vez desde la página Bot del portal de desarrolladores a [discord] token.
doctor-discord-away = No se puede conectar con Discord en { $address }: { $reason }. Revisa [discord] api_base y la red de este equipo.
doctor-discord-elsewhere = Discord envía los comandos y las pulsaciones a una Interactions Endpoint URL y no a Easel; vacía ese campo en el portal de desarrolladores.

## La ayuda de los comandos

help-imagine = Pinta una imagen a partir de tu descripción.
help-again = Pinta una petición otra vez, con otra semilla.
help-vary = Pinta una variación de una imagen.
help-edit = Cambia una petición y píntala de nuevo.
help-branch = Crea otra versión de una imagen: lo que no cambies se mantiene, también la semilla.
help-info = Muestra todos los ajustes de una imagen.
help-original = Obtén el archivo original de una imagen.
help-delete = Borra definitivamente una de tus imágenes.
help-queue = Muestra tus peticiones en espera y en curso.
help-cancel = Cancela una petición en espera o en curso.
help-move = Mueve una de tus peticiones dentro de la cola.
help-retry = Repite una petición fallida sin cambios.
help-resend = Envía de nuevo las imágenes de una petición que no llegaron.
help-explain = Muestra cómo entiende Easel un prompt y cuánto cuesta, sin pintarlo.
help-history = Muestra o busca tus imágenes, primero las más recientes.
help-favourite = Añade una imagen a tus favoritas, guárdala en una carpeta o quítala de nuevo.
help-compare = Muestra dos imágenes juntas y las diferencias entre sus ajustes.
help-settings = Muestra o cambia tus valores por defecto.
help-settle = Cambia tus valores por defecto en un formulario.
help-quota = Muestra cuántos créditos te quedan.
help-grant = Da a un usuario créditos que no caducan; sin número, muestra los que tiene.
help-pause = Pausa las peticiones de este chat o de un usuario.
help-resume = Reanuda las peticiones de este chat o de un usuario.
help-help = Muestra todos los comandos o explica uno.
help-link = Vincula tus cuentas: pide aquí un código, escríbelo en la otra plataforma y confirma aquí.
help-link-check = Muestra quién ha escrito tu código.
help-link-join = Vincula tu cuenta con la que ha escrito tu código.
help-link-no = Rechaza la vinculación y anula tu código.
help-unlink = Desvincula una plataforma; el historial y los presets se quedan en tus otras cuentas.
help-me-export = Descarga todos tus datos como archivo: peticiones, imágenes, presets y ajustes.
help-me-forget = Borra todos tus datos en todas las plataformas; antes se te pide confirmación.
help-forget-me = Confirma que se borren todos tus datos.
help-preset-use = Pinta con un preset: primero su nombre, luego tu texto.
help-preset-list = Muestra los presets con los que puedes pintar, primero los más usados.
help-preset-show = Muestra qué contiene un preset; nombre@2 muestra una versión anterior.
help-preset-save = Guarda como preset un prompt o los ajustes de una imagen.
help-preset-keep = Guarda como preset los ajustes de una imagen, con un formulario.
help-fill = Pinta con un preset y rellena sus campos en un formulario.
help-preset-edit = Cambia uno de tus presets; las imágenes conservan la versión con la que se pintaron.
help-preset-fork = Copia un preset para cambiarlo a tu gusto.
help-preset-share = Comparte uno de tus presets con este chat o con todos.
help-preset-delete = Archiva un preset; las imágenes pintadas con él no cambian.
help-preset-export = Descarga tus presets como archivo, o uno que puedas ver.
help-preset-import = Importa presets de un archivo de Easel, A1111, Fooocus o InvokeAI.
help-share = Comparte una de tus imágenes o un prompt en el tablón de este chat.
help-board = Muestra el tablón de este chat: primero lo nuevo, lo más usado o lo que más gusta.
help-use = Pinta algo compartido con otra semilla; después del código puedes añadir texto.
help-like = Indica que te gusta una publicación; si repites, lo retiras.
help-keep = Guarda algo compartido como preset tuyo.
help-report = Denuncia ante los moderadores una publicación que no debería estar en este tablón.
help-reports = Muestra las publicaciones denunciadas de este tablón.
help-dismiss = Deja en el tablón una publicación denunciada y descarta las denuncias.
help-pin = Fija una publicación en lo alto del tablón de este chat; --off deja de fijarla.
help-remove = Quita del tablón una publicación tuya o, como moderador, cualquiera.
help-digest = Activa o desactiva el resumen semanal del tablón; en privado, el de todos tus grupos.
help-rules = Muestra las reglas de este chat; los moderadores pueden cambiarlas.
help-group-link = Comparte un tablón con otro grupo, aquí o en otra plataforma.
help-group-unlink = Deja de compartir el tablón con otro grupo; lo ya publicado se queda en el compartido.

## Las descripciones de los parámetros

param-prompt = Qué debe mostrar la imagen
param-edit-prompt = Qué debe mostrar ahora la imagen
param-branch-prompt = Qué debe mostrar ahora la imagen
param-negative = Qué no debe aparecer
param-image = Una imagen de partida
param-strength = Cuánto cambia la imagen de partida
param-size = Ancho y alto como 768x512, o una proporción como 16:9
param-steps = Pasos para eliminar el ruido; cuantos más, más lento
param-guidance = Con cuánta fidelidad sigue el prompt
param-scheduler = El método de los pasos, por ejemplo euler a
param-smaller = Hacer una imagen más pequeña si falta memoria
param-clip-skip = Qué capa de CLIP lee el prompt: 1 es la última, 2 la anterior
param-seed = La misma semilla repite la misma imagen
param-count = Cuántas imágenes
param-model = Qué modelo se usa
param-job = ID de la petición
param-same = Usar también la misma semilla, para la misma imagen
param-picture = ID de la imagen
param-pictures = ID de una o dos imágenes
param-without = Qué se restablece: nombres separados por comas
param-edit-without = Qué se deja al modelo: nombres separados por comas
param-branch-without = Qué se deja al modelo: nombres separados por comas
param-words = Palabras para buscar; en imágenes, también model: preset: by: seed: before: in: is:favourite
param-page = Qué página
param-folder = Carpeta para guardar la favorita
param-way = Adónde moverla en tu cola; si no lo indicas, al principio
param-language = El idioma en que te habla Easel
param-here = Para todos en este chat (solo moderadores)
param-person = Nombre, ID o plataforma:id; déjalo vacío para todo este chat
param-grant-person = Nombre, ID o plataforma:id
param-credits = Cuántos créditos; un número negativo los quita
param-command = El comando que quieres que te explique
param-link-code = El código que recibiste en la otra plataforma
param-platform = Qué plataforma desvincular; si no la indicas, en la que escribes
param-link-join-person = ID del usuario
param-forget-me-person = ID del usuario
param-until = Hasta cuándo se puede aceptar, en tiempo Unix
param-preset = Nombre del preset
param-preset-preset = Nombre del preset
param-preset-use-preset = Nombre del preset y su texto: campo:valor o texto libre
param-preset-use-words = Texto para el preset: campo:valor o texto libre
param-preset-export-preset = Nombre del preset
param-preset-prompt = El prompt, con campos como {"{"}title{"}"} o {"{"}title=a cat{"}"}
param-preset-save-name = Un nombre de una palabra; después puede ir el prompt
param-preset-edit-name = Un nombre de una palabra; después puede ir el prompt
param-preset-save-picture = ID de una de tus imágenes, de la que se toma todo
param-preset-edit-picture = ID de una de tus imágenes, de la que se toma todo
param-name = Qué nombre ponerle
param-lock = Lo que otros no pueden cambiar: nombres separados por comas
param-most = Límites para otros, por ejemplo steps=30, count=2
param-tags = Palabras para encontrarlo, separadas por comas
param-everybody = Para todos los usuarios, no solo para este chat
param-format = Para qué programa; easel lo conserva todo
param-text = El contenido de un archivo así
param-file = Un archivo de presets de Easel, A1111, Fooocus o InvokeAI
param-fill-version = Qué versión del preset
param-fill-asks = Qué campos se preguntan, una letra por cada uno
param-fill-words = Tu propio texto
param-fill-slot-1 = Texto para este campo
param-fill-slot-2 = Texto para este campo
param-fill-slot-3 = Texto para este campo
param-fill-slot-4 = Texto para este campo
param-fill-slot-5 = Texto para este campo
param-share-picture = ID de una de tus imágenes
param-share-prompt = Un prompt sin imagen
param-order = Qué va primero; si no lo indicas, lo más nuevo
param-code = Código de la publicación
param-use-code = Código de la publicación; después puede ir tu propio texto
param-off = Deshacerlo
param-reason = Por qué no debería estar ahí
param-group-link-code = El código que recibió el otro grupo
param-switch = on u off; si no lo indicas, muestra el estado actual
param-rules-most = Límites en este chat, por ejemplo steps=30, count=2
param-rules-credits = Cuántos créditos puede usar cada miembro en este chat al día
param-cover = Si las imágenes están ocultas en este chat hasta que se pulsen
param-closed = Comandos que los miembros no pueden usar en este chat, separados por comas
