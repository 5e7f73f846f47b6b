# Cada frase para la gente en español; en.ftl dice qué se quiere decir. Breve, amable, exacto; tratamos de tú.
# La ayuda y las descripciones de los comandos (help-, param-) están en inglés en sus declaraciones y solo aquí en español.

## Configuración

config-unknown = { GIVEN($nearest) ->
    [yes] { $key } no es un ajuste; ¿querías decir { $nearest }?
   *[no] { $key } no es un ajuste. En config.example.toml están todos.
}
config-missing = Falta { $key }.
config-whole = { $key } tiene que ser un número entero; pone { $given }.
config-number = { $key } tiene que ser un número; pone { $given }.
config-yes-no = { $key } tiene que ser true o false; pone { $given }.
config-text = { $key } tiene que ser texto entre comillas; pone { $given }.
config-list = { $key } tiene que ser una lista de textos como ["auto"]; pone { $given }.
config-choice = { $key } tiene que ser { $expected }; pone { $given }.
config-least = { $key } tiene que ser al menos { $ge }; pone { $given }.
config-most = { $key } tiene que ser como mucho { $le }; pone { $given }.
config-webhook = { $key } con mode = "webhook" necesita también webhook_url y webhook_secret.
config-address = { $key } tiene que ser una dirección como https://example.org/api; pone { $given }.
config-long = { $key } es demasiado largo.
config-empty = { $key } no puede estar vacío.
config-time-zone = { $key } tiene que ser una zona horaria como "Europe/Berlin"; pone { $given }.
config-section = { $key } tiene que ser una sección con claves propias; pone { $given }.
config-value = { $key } no puede ser { $given }.
config-file-missing = No hay ningún archivo { $file }.
config-file-unreadable = No se puede leer el archivo { $file }: { $reason }.
config-file-broken = { $file } no es TOML válido: { $reason }.
config-store = [store] url no sirve; escribe sqlite+aiosqlite:///ARCHIVO o postgresql+psycopg://USUARIO:CLAVE@HOST/NOMBRE (se conocen { $offered }).
config-files = [files] url no sirve ({ $reason }); escribe una carpeta como data/files o una dirección como s3://bucket/easel.

## Lo que la gente escribe y adjunta

input-prompt-long = Un prompt tiene como mucho { $most } caracteres; este tiene { $given }.
input-prompt-deep = Los paréntesis llegan como mucho a { $most } niveles; pon el peso en un solo par, como (word:1.5).
input-size = Un tamaño se escribe como 768x512; has escrito { $given }.
input-strength-alone = La fuerza dice cuánto de una imagen se pinta de nuevo, así que necesita una imagen: añade una o deja fuera la fuerza.
input-file-missing = No hay ningún archivo { $file }.
input-file-unreadable = No se puede leer el archivo { $file }.
words-unknown = { $count ->
    [one] Al modelo { $model } no le enseñaron la palabra { $words }; conoce palabras como { $known }.
    [many] Al modelo { $model } no le enseñaron las palabras { $words }; conoce palabras como { $known }.
   *[other] Al modelo { $model } no le enseñaron las palabras { $words }; conoce palabras como { $known }.
}

## Los comandos y sus parámetros

input-command = { GIVEN($nearest) ->
    [yes] No hay ningún comando /{ $given }; ¿querías decir /{ $nearest }?
   *[no] No hay ningún comando /{ $given }; /help los muestra todos.
}
input-parameter = { GIVEN($nearest) ->
    [yes] /{ $command } no tiene { $given }; ¿querías decir { $nearest }?
   *[no] /{ $command } no tiene { $given }; /help { $command } muestra lo que tiene.
}
input-missing = A /{ $command } le falta { $name }: { $help }.
input-long = { $name } tiene como mucho { $most } caracteres; aquí hay { $given }.
input-choice = { $name } es uno de { $offered }; has escrito { $given }.
input-range = { GIVEN($low) ->
    [yes] { GIVEN($high) ->
        [yes] { $name } va de { $low } a { $high }; has escrito { $given }.
       *[no] { $name } tiene que ser al menos { $low }; has escrito { $given }.
    }
   *[no] { $name } tiene que ser como mucho { $high }; has escrito { $given }.
}
input-number = { $whole ->
    [yes] { GIVEN($low) ->
        [yes] { $name } tiene que ser un número entero de { $low } a { $high }; has escrito { $given }.
       *[no] { $name } tiene que ser un número entero; has escrito { $given }.
    }
   *[no] { GIVEN($low) ->
        [yes] { $name } tiene que ser un número de { $low } a { $high }; has escrito { $given }.
       *[no] { $name } tiene que ser un número; has escrito { $given }.
    }
}
input-yes-no = { $name } es yes o no; has escrito { $given }.
input-value = { $name } no puede ser { $given }: { $help }.
input-shape = Un formato se escribe como 16:9 y es como mucho { $most } veces más ancho que alto, o al revés; has escrito { $given }.
input-prompt-empty = No hay palabras que pintar; escribe qué muestra la imagen.
input-picture-none = /{ $command } no acepta imágenes; envíalo sin ninguna, o parte de la imagen con /imagine.
input-two-pictures = Una petición parte de una imagen, y hay dos; quita una.
input-twice = { $name } está dos veces; quita una.
input-words = /{ $command } no acepta palabras; has escrito { $given }.
input-picture-unknown = { $given } no es ni un enlace ni el id de una imagen tuya. Adjunta la imagen, o copia el id de su Info.
input-form-old = Ese formulario estuvo abierto demasiado tiempo; elige la imagen otra vez.
input-picture-fetch = La imagen no ha llegado; envíala otra vez.
input-picture-gone = La imagen de la que partir se ha borrado; adjúntala otra vez.
input-image-missing = El prompt tiene {"{"}image{"}"}, y no venía ninguna imagen; adjunta una, o escribe {"{"}image:LINK{"}"}.
input-links-off = Aquí no se siguen enlaces a imágenes; adjunta la imagen misma.
input-button = Ese botón es de otra versión de Easel; escribir el comando funciona.
denied-job = No hay tal petición tuya.
denied-picture = No hay tal imagen tuya.
denied-moderators = Eso es para quienes cuidan de este lugar.
denied-operators = Eso es para quienes llevan Easel.
denied-cover = Las imágenes están cubiertas en todas partes: lo han decidido quienes llevan Easel, y ningún lugar lo quita.
denied-form = Ese formulario es de otra persona; pulsa el botón que lo mostró para tener el tuyo.
denied-channel = No se sabe quién habla como canal; pide con tu propio nombre.
input-person = Easel no conoce a { $given }; escribe un nombre, un id o plataforma:id.
input-person-name = { $given } es un nombre, y los nombres se eligen libremente; escribe en su lugar el id, que es { $id }.
input-person-several = Varias personas se llaman { $given }; escribe un id o plataforma:id.
denied-disk = Ahora mismo no queda sitio para imágenes nuevas; quien lleva Easel tiene que hacerlo.
denied-open = { $most ->
    [one] Puedes tener { $most } petición abierta a la vez; pide otra cuando esté lista.
    [many] Puedes tener { $most } de peticiones abiertas a la vez; pide otra cuando una esté lista.
   *[other] Puedes tener { $most } peticiones abiertas a la vez; pide otra cuando una esté lista.
}
denied-credits = { $cost ->
    [one] Esto cuesta { $cost } crédito, y te quedan { $left }; mañana vuelves a tener { $most }.
    [many] Esto cuesta { $cost } de créditos, y te quedan { $left }; mañana vuelves a tener { $most }.
   *[other] Esto cuesta { $cost } créditos, y te quedan { $left }; mañana vuelves a tener { $most }.
}
denied-credits-day = { $cost ->
    [one] Esto cuesta { $cost } crédito, y un día tiene { $most }; menos imágenes, menos pasos o un tamaño menor cuestan menos.
    [many] Esto cuesta { $cost } de créditos, y un día tiene { $most }; menos imágenes, menos pasos o un tamaño menor cuestan menos.
   *[other] Esto cuesta { $cost } créditos, y un día tiene { $most }; menos imágenes, menos pasos o un tamaño menor cuestan menos.
}
denied-credits-place = { $cost ->
    [one] Esto cuesta { $cost } crédito, y aquí quedan { $left }; mañana vuelve a haber { $most }.
    [many] Esto cuesta { $cost } de créditos, y aquí quedan { $left }; mañana vuelve a haber { $most }.
   *[other] Esto cuesta { $cost } créditos, y aquí quedan { $left }; mañana vuelve a haber { $most }.
}
denied-credits-here = { $cost ->
    [one] Esto cuesta { $cost } crédito. En este lugar cada persona tiene { $most } al día, y hoy te quedan aquí { $left }.
    [many] Esto cuesta { $cost } de créditos. En este lugar cada persona tiene { $most } al día, y hoy te quedan aquí { $left }.
   *[other] Esto cuesta { $cost } créditos. En este lugar cada persona tiene { $most } al día, y hoy te quedan aquí { $left }.
}

## Las peticiones y sus tarjetas

card-starting = a punto de empezar
card-next = la siguiente
card-waiting = { $place } en la cola
card-waiting-time = { $place }, aprox. { $time }
card-paused = retenida por un moderador
card-cancelled = cancelada
card-failed = No ha salido bien.
card-deleted = borrada
button-again = Otra vez
button-cancel = Cancelar
button-vary = Variar
button-edit = Editar…
form-edit = Cámbiala y píntala de nuevo
button-info = Info
button-resend = Enviar de nuevo
button-own = Hacer la mía
button-delete = Borrar
button-more = Más
button-first = Primera
button-retry = Reintentar
queue-empty = No tienes nada en espera.
queue-open = { $count ->
    [one] Tienes { $count } petición abierta.
    [many] Tienes { $count } de peticiones abiertas.
   *[other] Tienes { $count } peticiones abiertas.
}
queue-running = pintándose
cancel-done = Cancelada: { $words }
cancel-late = Esa ya ha terminado, así que no queda nada que cancelar.
move-done = Movida: { $words }
move-not = Esa no se puede mover ahí: no está en espera, o ya está ahí.
retry-done = De nuevo en la cola: { $words }
retry-not = Esa no ha fallado, así que no hay nada que reintentar.
resend-done = Se envía otra vez: { $words }
resend-not = Esa ha llegado, o está en camino.
quota-none = Puedes pintar sin límite.
quota-some = Tus créditos; un día nuevo empieza a medianoche ({ $zone }).
quota-left = quedan { $left } de { $most }
fact-today = hoy
fact-here = tú, aquí
fact-place = aquí, entre todos
fact-granted = regalados
grant-done = { $extra ->
    [one] { $name } tiene ahora { $extra } crédito regalado.
    [many] { $name } tiene ahora { $extra } de créditos regalados.
   *[other] { $name } tiene ahora { $extra } créditos regalados.
}
pause-place = Retenidas aquí: { $count ->
    [one] { $count } petición
    [many] { $count } de peticiones
   *[other] { $count } peticiones
} y todas las nuevas.
resume-place = Siguen aquí: { $count ->
    [one] { $count } petición
    [many] { $count } de peticiones
   *[other] { $count } peticiones
}.
pause-person = Retenidas para { $name }: { $count ->
    [one] { $count } petición
    [many] { $count } de peticiones
   *[other] { $count } peticiones
} y todas las nuevas.
resume-person = Siguen para { $name }: { $count ->
    [one] { $count } petición
    [many] { $count } de peticiones
   *[other] { $count } peticiones
}.
delete-done = Borrada: { $words }
history-page = { GIVEN($words) ->
    [yes] De la { $first } a la { $last } de { $count } con «{ $words }».
   *[no] De la { $first } a la { $last } de { $count }.
}
history-next = Para ver más, escribe /history { $words } --page { $page }
history-none = { GIVEN($words) ->
    [yes] Ninguna imagen tuya tiene «{ $words }» en su prompt.
   *[no] Aún no tienes imágenes; escribe qué te gustaría ver.
}
history-end = No hay página { $page }; hay imágenes en páginas anteriores, { $count } en total.
job-unreadable = Esta petición es de otra versión de Easel y no se puede leer; escríbela otra vez.
job-poison = Esta petición se empezó { $attempts } veces y no llegó a ningún final, así que no se intenta más. Quizá ayude una imagen más pequeña, u otras palabras.

## Lo que se sabe de una imagen

fact-prompt = prompt
fact-negative = sin
fact-drawn = al azar
fact-model = modelo
fact-size = tamaño
fact-seed = semilla
fact-steps = pasos
fact-guidance = guía
fact-scheduler = scheduler
fact-strength = fuerza
fact-count = imágenes
fact-cost = cuesta
fact-painted = pintada
fact-seconds = tardó
fact-id = id
size = { $width } × { $height }
number = { $amount }
ordinal = { $place }.ª
time-moment = { $day }/{ $month }/{ $year } { $time } UTC

## Ayuda y explicación

help-all = Escribe qué te gustaría ver, o uno de estos. /help y un nombre lo cuenta todo sobre uno.
help-one = { $usage }: { $help }
about-flag = flag
about-needed = necesario
about-choices = uno de { $offered }
about-picture = adjunta, un enlace o el id de una imagen tuya
about-yes-no = yes o no
about-such = hay { $offered }
about-also = también { $names }
about-default = { $default } si se omite
about-range = de { $low } a { $high }
about-least = al menos { $low }
about-most = como mucho { $high }
docs-commands = Comandos
docs-commands-intro = Hecho a partir de las declaraciones de bot/commands con python -m bot.commands.reference > docs/commands.md; una línea sin comando es un prompt para /imagine.
docs-flags = Flags
docs-flags-intro = Todo menos las palabras mismas se dice con flags, en cualquier orden.
docs-prompts = Prompts
docs-prompts-intro = Un prompt tiene hasta { $most } caracteres; en una petición caben hasta { $several }.
docs-history = Buscar
docs-history-intro = /history toma palabras y filtros en cualquier orden; un valor con espacios va entre comillas.
docs-write = escribes
docs-means = significa
settings-yours = Esto vale donde no digas otra cosa.
settings-here = Esto vale en este lugar donde nadie diga otra cosa; /settings --here --steps 30 lo cambia, --without steps lo retira.
settings-kept = Guardado.
language-name = español
fact-language = idioma
form-settings = Tus ajustes
form-paint = Pintar
form-keep = Guardar
button-settings = Cambiar…
explain-read = Así se lee; todavía no se ha pintado nada.
explain-refused = Esto no se puede pintar: { $reason }
explain-drawn = { $drawn } esta vez; sin semilla, cada vez de nuevo
explain-weight = { $words } ({ $weight } veces)
explain-part = { " " }| luego |{ " " }
explain-of-you = { $value }, tuyo
explain-of-settings = { $value }, de tus ajustes
explain-of-place = { $value }, fijado para este lugar
explain-of-model = { $value }, propio del modelo
explain-of-picture = { $value }, según tu imagen
explain-seed = al azar cada vez
explain-cost = { $credits ->
    [one] { $credits } crédito, aprox. { $time }
    [many] { $credits } de créditos, aprox. { $time }
   *[other] { $credits } créditos, aprox. { $time }
}

## La gramática de los prompts

input-prompts-empty = No hay palabras que pintar; escribe qué muestra la imagen.
input-prompts-many = Una petición tiene como mucho { $most } prompts entre ||; esta tiene { $given }.
input-prompt-choices = Las alternativas como {"{"}red|green{"}"} llegan como mucho a { $most } niveles.
input-prompt-images = Un prompt parte de una imagen; deja un solo {"{"}image{"}"}.
input-prompt-lora = { $given } pide un LoRA, y aquí aún no hay ninguno; como palabras normales se escribe { $plain }.
input-prompt-concept = { $given } pide un concepto aprendido, y aquí aún no hay ninguno; como palabras normales se escribe { $plain }.
input-prompt-list = { $given } pide una lista de palabras, y aquí aún no hay ninguna; como palabras normales se escribe { $plain }.

## Flags

input-line-long = Una línea tiene como mucho { $most } caracteres; esta tiene { $given }.
input-flag-unknown = { GIVEN($nearest) ->
    [yes] No hay ningún flag --{ $given }; ¿querías decir --{ $nearest }? Como palabras normales se escribe \--{ $given }.
   *[no] No hay ningún flag --{ $given }. Hay: { $offered }. Como palabras normales se escribe \--{ $given }.
}
input-flag-twice = --{ $name } está dos veces; quita uno.
input-flag-value = --{ $given } necesita un valor detrás: { $help }.

## Enlaces a imágenes

input-link-form = Un enlace a una imagen se escribe como https://example.com/picture.png, sin nombre de usuario ni signos raros.
input-link-unreachable = En { $host } no contesta nada que se pueda traer; guarda la imagen y adjúntala.
input-link-redirects = Ese enlace lleva a otros más de { $most } veces; usa el de la imagen misma.
input-link-no-picture = Tras ese enlace no hay ninguna imagen PNG, JPEG o WebP; usa el de la imagen misma, o adjúntala.
input-link-big = La imagen tras ese enlace tiene más de { $most } megabytes; una copia más pequeña sirve.
input-link-slow = La imagen tras ese enlace no llegó en { $seconds } s; guárdala y adjúntala.

## Imágenes de partida

picture-bytes = La imagen tiene { $given } bytes; se aceptan hasta { $most }. Una copia más pequeña o un JPEG sirve.
picture-format = Ese archivo no es de ninguno de los tipos de imagen que se leen aquí: { $offered }.
picture-pixels = La imagen tiene { $width } × { $height } píxeles; se aceptan hasta { $most } píxeles en total (4000 × 4000, por ejemplo). Una copia más pequeña sirve.
picture-parts = El archivo de imagen está cortado en más de { $most } partes, como ninguno normal. Guardarlo otra vez con un editor de imágenes lo arregla.
picture-scans = El JPEG está hecho de más de { $most } capas, como ninguno normal. Guardarlo otra vez con un editor de imágenes lo arregla.
picture-broken = El archivo { $format } está dañado o cortado. Guardarlo o enviarlo otra vez quizá lo arregle.

## Lo que permite un modelo

range-number = { $name } va de { $low } a { $high }; has escrito { $given }.
range-multiple = { $name } tiene que ser múltiplo de { $multiple }; has escrito { $given }, y el más cercano es { $nearest }.
range-pixels = { $width } × { $height } es más de lo que pinta este modelo: { $most } píxeles en total.
range-no-steps = { $steps ->
    [one] Con { $steps } paso y fuerza { $strength } no se pinta nada; la fuerza tiene que ser al menos { $least }.
    [many] Con { $steps } de pasos y fuerza { $strength } no se pinta nada; la fuerza tiene que ser al menos { $least }.
   *[other] Con { $steps } pasos y fuerza { $strength } no se pinta nada; la fuerza tiene que ser al menos { $least }.
}
range-dtype = dtype tiene que ser uno de { $offered }; pone { $given }.
unknown-model = { GIVEN($nearest) ->
    [yes] No hay ningún modelo { $given }; ¿querías decir { $nearest }?
   *[no] No hay ningún modelo { $given }. Hay: { $offered }.
}
unknown-scheduler = { GIVEN($nearest) ->
    [yes] Este modelo no tiene ningún scheduler { $given }; ¿querías decir { $nearest }?
   *[no] Este modelo no tiene ningún scheduler { $given }. Tiene: { $offered }.
}

## Modelos que no se pueden usar

model-missing = { $path } no está o no se puede leer. Pon ahí el modelo, o corrige su ruta en la configuración.
model-folder-missing = La carpeta de modelos { $path } no existe. Créala, o corrige models_dir en la configuración.
model-name = { $path } no puede ser el nombre de un modelo. Usa hasta 80 letras, cifras, espacios y . _ + - ( ), cada nombre una vez.
model-outside = { $path } es o contiene un enlace que sale de la carpeta de modelos. Mete los archivos dentro, o da su propia ruta en la configuración.
model-pickled = { $path } contiene pesos en pickle, que al abrirse pueden ejecutar cualquier código. Usa el archivo .safetensors del modelo, o conviértelo en otro sitio.
model-unreadable = { $path } no es un archivo safetensors legible ni la configuración de un modelo. Descárgalo otra vez.
model-truncated = { $path } acaba demasiado pronto: tiene { $bytes } bytes y dice que debería tener { $promised }. Descárgalo otra vez.
model-pointer = { $path } es un puntero de Git LFS y no los pesos mismos. Trae el archivo con git lfs pull o desde su página.
model-unfamiliar = { $path } no es un modelo de Stable Diffusion 1, 2, XL o 3. Los LoRA, ControlNet y partes de un modelo no van aquí.
model-refiner = { $path } es un refinador de SDXL, que no puede pintar solo. Usa un modelo base de SDXL.
model-mode = { $path } acepta { $channels } canales de entrada, como los modelos de inpainting o de edición. Usa el modelo normal de la misma familia.
model-ema-names = { $path } solo contiene pesos promediados con sus nombres de entrenamiento. Usa el archivo EMA-only que su autor preparó para pintar.
model-not-folder = { $path } es una carpeta sin model_index.json. Da la carpeta de un modelo diffusers completo, o un archivo .safetensors.
model-part-missing = A { $path } le falta la parte { $part }. Descarga el modelo otra vez, o da una carpeta config que la contenga.
model-variant = { $path } contiene partes en variantes que no van juntas. Descarga todo en una variante: normal, fp16 o bf16.
model-class = { $path } pide { $given } como { $part }, que Easel no hace. Usa un modelo corriente de Stable Diffusion 1, 2, XL o 3.
model-prediction = { $path } predeciría «{ $given }», y su familia no puede. Las predicciones son { $offered }; flow es de Stable Diffusion 3.
model-card = { $path } no sirve como ficha de un modelo: { $reason }.
model-family = El modelo { $name } necesita una family, una de { $offered }. Escríbela en su tabla de la configuración.
model-other-family = El modelo { $name } debía ser de la familia { $given }, y lo encontrado es { $found }.
model-config-needed = { $path } es un solo archivo y no contiene tokenizador. Da al modelo { $name } una config: una carpeta diffusers de { $family }.
model-not-fetched = El modelo { $source } no está en este ordenador: { $reason }. Descárgalo antes, o permite descargas en la configuración.
model-broken = No se pudo cargar { $path }: { $reason }.
model-incomplete = A { $path } le faltan algunos pesos. Descárgalo otra vez.

## Adónde van las imágenes

output-folder-missing = No hay ninguna carpeta { $folder } donde poner la imagen.
output-folder-unwritable = No se puede escribir nada en la carpeta { $folder }.
output-file-unwritable = El archivo { $file } no se puede sobrescribir.
output-is-folder = { $file } es una carpeta; da un archivo dentro de ella.
output-not-png = Easel escribe archivos PNG, que llevan dentro los ajustes; llama al archivo { $right }.
output-unkept = No se pudo guardar la imagen: { $reason }.
output-file-failed = No se pudo escribir { $file }: { $reason }.
output-failed = No se pudo escribir la imagen en { $file }: { $reason }.

## Pintar en una terminal

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
paint-no-words = sin palabras
paint-cancelled = Cancelada.
paint-left = Esta imagen se deja a easel run, que la pinta y la escribe en su archivo.
time-seconds = { $seconds } s
time-minutes = { $minutes } min
time-hours = { $hours } h

## Funcionamiento, y a quién se deja entrar

input-token-name = Un token necesita un nombre: el de la persona a la que deja entrar.
input-one-prompt = easel paint acepta un prompt cada vez; un comando para cada uno los pinta todos.
person-none = Easel aún no conoce a nadie.
person-set = { $name }: papel { $role }, nivel { $tier }.
run-ending = { $count ->
    [one] Se está terminando una imagen; pulsa Ctrl-C otra vez para parar ya.
    [many] Se están terminando { $count } de imágenes; pulsa Ctrl-C otra vez para parar ya.
   *[other] Se están terminando { $count } imágenes; pulsa Ctrl-C otra vez para parar ya.
}
run-web = La página del chat está en { $address }
token-revoked = { $count ->
    [0] No había ningún token de { $name }.
    [one] Se ha retirado un token de { $name }.
    [many] Se han retirado { $count } de tokens de { $name }.
   *[other] Se han retirado { $count } tokens de { $name }.
}

## Lo que es de cada persona

export-done = { $file } contiene lo que se guarda de { $name }: { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
}, { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}.
forget-ask = ¿Olvidar a { $name } para siempre, con { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
} y { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}?
forget-done = Olvidado: { $name }, con { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
} y { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}.
forget-not = No se ha olvidado nada.
forget-none = No ha vuelto nadie de quienes se olvidaron.
input-forget-whom = Escribe a quién olvidar; o, tras restaurar una copia de seguridad, --again y nadie.
input-forget-yes = Aquí no hay nadie a quien preguntar; escribe --yes para olvidar a alguien sin pregunta.
audit-none = Nadie ha hecho aún nada de lo que se anota aquí.
link-code = En la otra plataforma, escribe /link { $code } una vez, antes de { $minutes } minutos. Luego pulsa Mirar aquí: nada se une antes de que estés de acuerdo.
link-waits = Nadie ha escrito aún el código.
link-typed = Pedido. Pulsa Mirar donde se hizo el código y acepta allí. Entonces eres una sola persona: se juntan historial, presets y ajustes, y los créditos de hoy cuentan una vez.
link-asks = { GIVEN($role) ->
    [yes] ¿Eres tú? Entonces todo lo tuyo es también suyo, incluido tu papel de { $role }, y todo lo suyo es tuyo. Si no eres tú, pulsa No.
   *[no] ¿Eres tú? Entonces todo lo tuyo es también suyo, y todo lo suyo es tuyo. Si no eres tú, pulsa No.
}
link-nameless = sin nombre
link-joined = Hecho: ahora eres una sola persona, en { $platforms }.
link-refused = No se unió a nadie, y el código ya no vale.
input-link-code = Ese código no abre nada; /link da uno nuevo.
denied-link = Nadie espera a unirse contigo; /link da un código nuevo.
unlink-done = Ahora eres alguien nuevo en { $gone }. El historial y los presets se quedan contigo en { $left }; lo gastado hoy en créditos cuenta para ambos.
input-unlink = No se te conoce en { $given }; estás en { $offered }.
denied-unlink = Es el único nombre por el que se te conoce, así que no hay nada que separar.
denied-person-new = Acaba de cambiar quién eres para Easel; pídelo otra vez.
me-export = Esto es todo lo que se guarda de ti: { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
}, { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}.
me-export-rows = Esto es todo lo que se guarda de ti menos las imágenes mismas, que juntas son demasiado grandes: { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
}, { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}. Quien lleva Easel puede entregarlo todo con easel export.
denied-export = Lo que se guarda de ti es demasiado para un mensaje; quien lleva Easel puede entregarlo con easel export.
me-forget-ask = ¿Olvidarte para siempre en { $platforms }, con { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
} y { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}? Nada de eso vuelve. Lo publicado en los chats se queda allí hasta que lo borres.
me-forgotten = Olvidado, con { $jobs ->
    [one] { $jobs } petición
    [many] { $jobs } de peticiones
   *[other] { $jobs } peticiones
} y { $pictures ->
    [one] { $pictures } imagen
    [many] { $pictures } de imágenes
   *[other] { $pictures } imágenes
}. Si escribes otra vez, eres alguien nuevo.
denied-forget = Esa pregunta era para otra persona; /me forget te pregunta a ti.
input-forget-late = Esa pregunta es demasiado vieja; /me forget la hace de nuevo.
button-check = Mirar
button-join = Unir
button-join-no = No
button-forget = Olvidarme
fact-name = nombre

## Los modelos en una terminal

models-name = nombre
models-title = título
models-family = familia
models-kind = guardado como
models-variant = variante
models-prediction = predice
models-precision = precisión
models-megabytes = megabytes
models-size = tamaño
models-steps = pasos
models-schedulers = schedulers
models-words = palabras

## easel doctor

doctor-state-ok = bien
doctor-state-note = nota
doctor-state-problem = problema
doctor-python = Python { $version }
doctor-config = La configuración es { $file }.
doctor-no-config = Aquí no hay easel.toml, así que todo tiene su valor de fábrica; config.example.toml muestra qué se puede ajustar.
doctor-library = { $name } { $version }
doctor-library-missing = { $name } no está instalado; escribe: pip install -c requirements.lock -e .
doctor-gpu = GPU: { $name }
doctor-gpu-unused = Hay una GPU, pero el torch instalado es el de procesadores; instala la edición CUDA de la misma versión para usarla.
doctor-gpu-missing = La configuración nombra los dispositivos { $devices }, pero no contesta ninguna GPU NVIDIA; pon [inference] devices en ["auto"] o arregla el controlador.
doctor-processor = No contesta ninguna GPU NVIDIA; pinta el procesador, deprisa con el modelo de demostración y despacio con los grandes.
doctor-model = Modelo { $name } ({ $family }): { $source }
doctor-models-folder-missing = No hay carpeta de modelos { $folder }; créala y pon modelos en ella, y se encuentran solos.
doctor-store = El almacén { $store } está al día.
doctor-store-blank = El almacén { $store } se creará en el primer arranque.
doctor-page = La página del chat estará en { $address }
doctor-page-login = La página del chat estará en { $address } y pedirá un token: easel token create NAME
doctor-folder = Se pueden escribir imágenes en { $folder }.
doctor-next = Ahora: easel run
doctor-next-mend = Ahora: arregla lo marcado como problema y escribe easel doctor otra vez.

## El motor

memory-smaller = Pintada en { $width } × { $height } en vez de { $asked }: no había memoria para más.
memory-spent = { $width } × { $height } no cabe en la memoria de este dispositivo. Una imagen más pequeña sirve.
worker-died = El proceso que pinta en { $device } se acabó a medias, y se ha arrancado otro. Pídelo otra vez.
worker-hung = El proceso que pinta en { $device } no hizo nada durante { $seconds } s y se ha arrancado de nuevo. Pídelo otra vez.
worker-garbled = El proceso que pinta dijo algo sin sentido y se ha arrancado de nuevo. Pídelo otra vez.
worker-start = El proceso que pinta no puede arrancar ({ $kind }); quizá easel doctor diga por qué.

## El adaptador web

config-port = El puerto { $port } de { $host } lo usa otro programa; pon otro con port en [web], o cierra ese programa.
config-listen = El chat web no puede escuchar en { $host }, puerto { $port }: { $reason }. Corrige host y port en [web].
config-public-url = [web] public_url tiene que ser una dirección como https://easel.example; pone { $given }.
web-host = Este servidor no responde al nombre { $host }. Quien lo lleva puede poner en [web] public_url la dirección que usa la gente.
web-origin = Eso venía de una página de otro sitio. Solo la página de Easel puede enviar algo aquí.
web-large = Una imagen puede tener hasta { $most } MB y una línea hasta { $line } caracteres; esto era más.
web-form = Lo enviado no es un formulario completo. Envíalo otra vez.
web-login = No has entrado. Entra con tu token.
web-reload = Esta página es de una visita anterior. Cárgala otra vez.
web-metrics = Los números son para quien lleva este Easel: envía con ellos un token, como Authorization: Bearer TOKEN.
web-tries = Ha habido muchos tokens equivocados. Espera un minuto y vuelve a intentarlo.
web-token = Este token no abre nada; quizá se haya retirado. Quien lleva este Easel hace uno nuevo.
web-file = Aquí no hay tal imagen.
web-nothing = No hay nada en esta dirección.
fault-web = Aquí ha fallado algo que nadie previó. Su incidente { $incident } está en el registro.
example-1 = a large red circle on a blue background
example-2 = a house by the sea at sunset
example-3 = a yellow star above a purple heart
input-line-empty = La línea está vacía; escribe qué muestra la imagen, o un comando como /help.

## Defectos

fault-untold = Ha fallado algo que aún no tiene palabras: { $key }.
fault-incident = Dentro de Easel ha fallado algo que nadie previó. Los detalles están en { $file }.
fault-unexpected = Al pintar ha fallado algo que nadie previó. Su incidente { $incident } está en el registro.

## El chat web

page-name = Easel
page-skip = Al mensaje
page-conversation = Conversación
page-panel = Cola e historial
page-queue = Cola
page-queue-empty = No hay nada en espera.
page-history = Historial
page-search = Buscar en tus imágenes
page-noscript = Esta página necesita JavaScript; la línea de comandos pinta sin él.
page-said = Lo nuevo de la semana
page-earlier = Mostrar lo anterior
page-latest = A lo último
page-empty = ¿Qué te gustaría ver?
page-empty-how = Escríbelo con tus palabras. Una línea que empieza con / es un comando, y -- fija un valor.
page-line = Mensaje
page-placeholder = Qué pintar
page-form = Ajustes
page-attach = Añadir imagen
page-attach-file = Añadir archivo
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
page-cover = Imagen cubierta: pulsa para verla
page-cover-short = Cubierta
page-cover-again = Volver a cubrir
page-sending = enviando
page-kept = guardado, se envía en cuanto se pueda
page-edit = Editar
page-discard = Descartar
page-delete-ask = ¿Borrar para siempre?
page-delete-yes = Borrar para siempre
page-delete-no = Conservar
page-progress = Progreso
page-offline = Sin conexión. Lo que envíes se guarda.
page-press-away = No hay conexión; púlsalo otra vez cuando vuelva.
page-logged-out = Has salido. Entra otra vez para seguir.
page-broken = No se pudo leer la respuesta. Envíalo otra vez.
page-picture-role = Imagen de partida
page-picture-kept = esta se queda si no eliges otra
page-picture-large = La imagen tiene { $given } MB; se aceptan hasta { $most } MB. Una copia más pequeña o un JPEG sirve.
page-picture-kind = Se aceptan imágenes PNG, JPEG o WebP.
page-file-kind = Los presets se toman de archivos que acaban en .json o .csv.
page-range = de { $low } a { $high }
page-drop = Suelta la imagen para partir de ella
page-drop-file = Suelta el archivo para incorporarlo
page-yes = sí
page-no = no
page-login = Entrar
page-login-title = Entrar
page-login-how = Quien lleva este Easel te da un token, hecho con: easel token create NAME
page-login-token = Token
page-logout = Salir
page-back = Volver al chat

## La base de datos

db-folder = No se puede crear la carpeta { $folder } para la base de datos: { $reason }.
db-unusable = No se puede usar la base de datos { $database }: { $reason }.
db-behind = Las tablas son las de la revisión anterior { $current }; haz una copia de seguridad y escribe easel db upgrade para llevarlas a { $head }.
db-ahead = Las tablas son las de la revisión { $current }, más nueva que este Easel ({ $head }). Actualiza Easel, o da otra base de datos.
db-current = { $database } tiene las tablas que necesita este Easel, de la revisión { $current }.
db-blank = { $database } aún no tiene tablas; se crean cuando Easel arranca por primera vez, o con easel db upgrade.
db-differs = { $database } tiene la revisión correcta, pero sus tablas difieren de ella: { $where }. Restaura una copia de seguridad, o arréglalas a mano.
db-moved = { GIVEN($after) ->
    [yes] { GIVEN($before) ->
        [yes] { $database } ha pasado de la revisión { $before } a la { $after }.
       *[no] { $database } tiene ya sus tablas, de la revisión { $after }.
    }
   *[no] { $database } ya no tiene tablas.
}
db-stayed = { GIVEN($after) ->
    [yes] { $database } ya está en la revisión { $after }.
   *[no] { $database } no tiene tablas, y sigue así.
}
db-foreign = La base de datos tiene tablas con los nombres de Easel que Easel no hizo. Da una base de datos propia, o una vacía.
input-revision = No hay camino a la revisión { $given }. Hay: { $offered }.

## Telegram

run-telegram = Telegram se está conectando con: { $address }
telegram-start = Soy { $name }, y pinto.
telegram-start-words = Escribe lo que quieras ver, por ejemplo: a red circle on a blue background.
telegram-start-picture = Para partir de una imagen, envíala con las palabras, o respóndele con ellas. /help cuenta más.
telegram-help-start = Saluda y di cómo funciona esto
telegram-ask = /{ $command }: ¿{ $help }?
telegram-picture = Responde a tu imagen con las palabras de lo que ha de ser.
telegram-edited = Ese mensaje se pinta tal como estaba; pulsa «Editar…» bajo su imagen para cambiarla.
telegram-channel = En un canal nadie puede tener cola; pide en un grupo o en un chat privado.
telegram-private = Eso se responde en un chat privado, y Easel aún no puede escribirte ahí.
telegram-open = Abrir el chat
telegram-sent-privately = Te lo he enviado en privado.
telegram-gone = Ese mensaje es demasiado antiguo para pulsar nada en él.
telegram-done = Hecho.
telegram-nobody = Eso es para una sola persona, y aquí no se ve quién lo pide; abre el chat y pídelo ahí.
telegram-refused = Telegram no ha aceptado el resultado; está en /history.
telegram-unsaid = Telegram no ha aceptado la respuesta; vuelve a intentarlo en un minuto.
telegram-link = El enlace pide esto: { $line }
telegram-closed = Esto no se pudo publicar donde se pidió.
telegram-no-photo = Telegram no acepta imágenes de este tamaño; está en el historial.
telegram-unsure = Puede que las imágenes no hayan llegado: { $words }. Pulsa el botón si es así.
telegram-broke = Dentro de Easel ha fallado algo que nadie previó. Quien lo lleva lo encuentra en el registro con { $code }.
telegram-form-answer = Pulsa lo que quieras cambiar, o responde a este mensaje con otras palabras.
telegram-form-words = Responde al mensaje con: { $name }; en una respuesta, --name valor fija cualquier otro campo.
telegram-form-long = Estos ajustes son demasiado largos para cambiarlos en Telegram; copia las palabras y envíalas de nuevo.
telegram-inline-preset = Pintar con { $name }
telegram-inline-none = Aún no hay nada pintado: abrir el chat
telegram-inline-covered = Las imágenes están cubiertas: abrir el chat
button-original = Original
doctor-telegram = Telegram: este es { $name }, en { $link }
doctor-telegram-privacy = Ahí el modo de privacidad está apagado: Telegram envía al bot todos los mensajes de sus grupos, y solo necesita comandos. BotFather lo enciende con /setprivacy.
doctor-telegram-webhook = Telegram lleva sus novedades a otra dirección; al arrancar, Easel las recoge él mismo y eso se acaba.
doctor-telegram-refused = Telegram no conoce este token; pídeselo otra vez a BotFather y ponlo en [telegram] token.
doctor-telegram-away = No se pudo preguntar a Telegram en { $address }: { $reason }. Mira [telegram] api_base y la red de este ordenador.

## Discord

run-discord = Discord se está conectando con: { $address }
discord-age = Aquí solo se pinta en canales con restricción de edad; con /imagine también se puede pedir en un mensaje directo.
discord-broke = Dentro de Easel ha fallado algo que nadie previó. Quien lo lleva lo encuentra en el registro con { $code }.
discord-done = Hecho.
discord-more = { $count ->
    [one] una más está en /history
    [many] { $count } más están en /history
   *[other] { $count } más están en /history
}
discord-pick = { $label }…
discord-below = La imagen llegará en un mensaje aparte.
discord-too-large = Discord no acepta aquí imágenes de este tamaño; está en el historial.
discord-closed = Esto no se pudo publicar donde se pidió.
discord-range = de { $low } a { $high }
discord-unsure = Puede que tu imagen no haya llegado: { $words }. Pulsa el botón si es así.
discord-private = Eso se responde en un mensaje directo, y los tuyos están cerrados para Easel.
discord-no-answer = Easel no puede escribir donde pediste una imagen; un moderador tiene que permitírselo, o pídela aquí.
discord-menu-source = Usar como punto de partida
discord-menu-info = Info
discord-menu-again = Otra vez
discord-menu-none = En ese mensaje no hay ninguna imagen de Easel.
discord-menu-no-picture = En ese mensaje no hay ninguna imagen.
doctor-discord = Discord: este es { $name }. Invítalo con { $invite }
doctor-discord-refused = Discord no conoce este token; cópialo otra vez de la página Bot del portal de desarrolladores a [discord] token.
doctor-discord-away = No se pudo preguntar a Discord en { $address }: { $reason }. Mira [discord] api_base y la red de este ordenador.
doctor-discord-elsewhere = Discord envía los comandos y las pulsaciones a una Interactions Endpoint URL y no a Easel; vacía ese campo en el portal de desarrolladores.

## Buscar, comparar, favoritas

input-filter = No hay ningún filtro { $given }:; hay { $offered }. Para buscar las palabras mismas, quita los dos puntos.
input-filter-empty = Tras { $name }: no hay nada; escríbelo sin espacio, como { $name }:valor.
input-filter-before = before: toma un día como 2026-11-20, o cuánto hace, como 7d o 2w; has escrito { $given }.
input-beginning = El principio de una palabra necesita al menos { $least } letras antes del asterisco; has escrito { $given }.
input-compare = Se pueden comparar dos imágenes distintas; nómbralas por su id, con un espacio entre ambos.
form-branch = Seguir pintando desde esta imagen
button-favourite = Favorita
button-unfavourite = No favorita
button-favourites = Favoritas
button-branch = Derivar…
button-compare = Comparar
favourite-on = { GIVEN($folder) ->
    [yes] Marcada, en «{ $folder }»: { $words }
   *[no] Marcada: { $words }
}
favourite-off = Ya no está marcada: { $words }
compare-first = Antes de esta no se pintó nada con que compararla; nombra dos imágenes por su id.
compare-same = Las dos se pintaron de la misma manera.
compare-differs = { $first } → { $second }
compare-nothing = nada
compare-caption = semilla { $seed } · { $steps } pasos · { $model }
history-nothing = Ninguna imagen que puedas ver aquí casa con «{ $words }».
card-compared = { $status }. { $verdict }
device = { $device }, { $dtype }
compared-same = { GIVEN($changes) ->
    [yes] Idéntica a la primera, aunque { $changes }.
   *[no] Idéntica a la primera.
}
compared-other = { GIVEN($changes) ->
    [yes] No es la misma: { $changes }.
   *[no] No es la misma que la primera, y nada de lo que se sabe de las dos dice por qué.
}
compared-unknown = No se anotó cómo se pintó la primera, así que no se pueden comparar.
compared-asked = { $name } se pidió de otra manera
compared-model = el modelo ha cambiado
compared-file = el archivo del modelo { $name } ha cambiado
compared-files = { $count ->
    [one] ha cambiado un archivo más
    [many] han cambiado { $count } de archivos más
   *[other] han cambiado { $count } archivos más
}
compared-schedule = los ajustes del scheduler han cambiado
compared-version = { $name } { $before } es ahora { $now }
compared-is-now = { $before } es ahora { $now }
compared-compiled = { $now ->
    [1] el modelo ahora está compilado
   *[other] el modelo ya no está compilado
}
compared-batch = se pintó en lotes de otro tamaño
compared-memory = faltó memoria para una de las dos
fact-hash = hash del modelo
fact-versions = pintada con
fact-device = en
fact-compared = comparada
fact-folders = tus carpetas

## Presets

input-preset-none = «none» significa sin preset; ningún preset puede llamarse así.
input-preset-name = { $given } no puede ser el nombre de un preset; un nombre es una palabra de letras, cifras, - y _, hasta 32.
input-preset-unknown = { GIVEN($nearest) ->
    [yes] Aquí no hay ningún preset { $given }; ¿querías decir { $nearest }?
   *[no] Aquí no hay ningún preset { $given }.
}
input-preset-locked = { $preset } conserva su propio { $name }; haz una copia con /preset fork { $preset } para cambiarlo.
input-preset-most = { $preset } permite { $name } hasta { $most }.
input-preset-words = { GIVEN($slots) ->
    [yes] { $preset } no acepta palabras tuyas, solo { $slots }.
   *[no] { $preset } no acepta palabras tuyas.
}
input-preset-slot = { $preset } necesita { $name }; escribe /preset use { $preset } { $name }:"…".
input-preset-other = { $name } ha cambiado desde que se preguntó; pídelo otra vez.
button-fill = Rellenar…
input-preset-empty = Un preset necesita un prompt, un prompt negativo o un ajuste.
input-preset-ceiling = { $given } no es un límite; escribe steps=30.
input-preset-over = { $name } tiene aquí un máximo de { $most }, y su propio valor es mayor.
input-preset-row = { $given } contiene algo que no es un preset.
input-preset-taken = Ya tienes un preset { $name }; elige otro nombre.
input-preset-taken-there = Ahí ya hay un preset { $name }; haz una copia del tuyo con otro nombre y comparte esa.
input-preset-elsewhere = { $name } ya está en otro lugar; /preset share { $name } --off lo retira de allí.
input-presets-format = Este no es un archivo de presets que Easel conozca: su propio JSON, el styles.csv de A1111, el JSON de Fooocus o el CSV de InvokeAI.
input-presets-large = Un archivo de presets tiene como mucho { $most } bytes.
input-presets-many = Un archivo contiene como mucho { $most } presets.
input-presets-nothing = Adjunta un archivo de presets, o escribe su contenido tras /preset import --text.
denied-preset = No hay tal preset tuyo.
preset-kept = { $name } está guardado.
preset-changed = { $name } ha cambiado; esta es la versión { $version }.
preset-forked = { $name } ya es tuyo, a partir del de { $maker }.
preset-shared = { $name } está para todos en este lugar.
preset-shared-everybody = { $name } está para todos.
preset-none = { GIVEN($words) ->
    [yes] Ningún preset tiene «{ $words }» en su nombre, en sus etiquetas o en su prompt.
   *[no] Aún no hay presets; /preset save guarda uno.
}
preset-list = Con esto puedes pintar:
preset-next = Para ver más, escribe /preset list { $words } --page { $page }
preset-end = No hay página { $page }; la lista acaba antes.
preset-which = ¿Qué preset?
preset-which-here = ¿Qué preset? Se ofrecen los que ven todos aquí; cualquier otro lo puedes nombrar: /preset use NOMBRE.
preset-line = { $words } · { $maker } · { $uses ->
    [one] usado una vez
    [many] usado { $uses } veces
   *[other] usado { $uses } veces
}
preset-archived = { $name } ya no está en ninguna lista; /preset save { $name } lo recupera.
preset-removed = { $name } ya no está en ninguna lista.
preset-exported = { $count ->
    [one] Un preset.
    [many] { $count } de presets.
   *[other] { $count } presets.
}
preset-imported = { $count ->
    [one] Ha entrado un preset
    [many] Han entrado { $count } de presets
   *[other] Han entrado { $count } presets
}{ $refused ->
    [0] .
   *[other] ; { $refused } no se pudieron aceptar:
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
fact-slots = huecos
fact-locked = fijo
fact-most = como mucho
fact-tags = etiquetas
fact-after = a partir de
fact-revisions = versiones
fact-uses = usado
fact-preset = preset
explain-of-preset = { $value }, del preset
input-settled = Eso está fijado así y ya no sirve: { $reason } { GIVEN($here) ->
    [yes] Quien cuida de este lugar lo retira con /settings --here --without { $name }.
   *[no] /settings --without { $name } lo retira.
}

## El tablón

input-share = Di qué imagen o qué prompt compartir, una de las dos cosas.
input-board-none = Aquí aún no hay tablón; /share pone algo en él.
denied-share = Con este código no hay nada compartido.
share-done = Está en el tablón. /use { $code } lo lleva a cualquier otro chat.
board-none = Aún no hay nada en el tablón; /share pone algo en él.
board-end = No hay página { $page }; el tablón acaba antes.
board-page = De { $first } a { $last } de { $count } en el tablón.
board-line = { $words } · { $maker } · { $votes ->
    [one] 1 me gusta
    [many] { $votes } me gusta
   *[other] { $votes } me gusta
} · { $uses ->
    [one] usado una vez
    [many] usado { $uses } veces
   *[other] usado { $uses } veces
} · { $code }
board-pinned = 📌
like-done = { $count ->
    [0] Ahora no le gusta a nadie.
    [one] Le gusta a una persona.
    [many] Les gusta a { $count } de personas.
   *[other] Les gusta a { $count } personas.
}
report-done = Quienes cuidan de su tablón lo verán.
report-line = { $count ->
    [one] denunciado una vez
    [many] denunciado { $count } veces
   *[other] denunciado { $count } veces
}: { $line }
reports = Lo denunciado; /remove CÓDIGO lo quita del tablón, /dismiss CÓDIGO lo deja.
reports-none = No se ha denunciado nada.
report-reasons = { $line } · motivo: { $reasons }
dismiss-done = { $count ->
    [0] Nadie lo ha denunciado.
    [one] Se queda en el tablón; su única denuncia queda olvidada.
    [many] Se queda en el tablón; sus { $count } denuncias quedan olvidadas.
   *[other] Se queda en el tablón; sus { $count } denuncias quedan olvidadas.
}
pin-done = Se queda en lo alto del tablón.
unpin-done = Vuelve a estar entre los demás.
remove-done = Ya no está en el tablón.
button-like = Me gusta
button-share = Compartir
digest-on = Lo nuevo del tablón se cuenta aquí una vez por semana; la próxima vez el { $next }, si hay algo.
digest-on-yours = Lo nuevo de los tablones de los grupos donde pintas se cuenta aquí una vez por semana; la próxima vez el { $next }, si hay algo.
digest-off = Lo nuevo del tablón no se cuenta aquí por sí solo. Quien cuida de este lugar lo cambia con /digest on.
digest-off-yours = Lo nuevo de los tablones de los grupos donde pintas no se cuenta aquí por sí solo; /digest on lo cambia.
denied-digest = Easel mismo no está en este lugar, solo sus comandos, así que aquí no puede decir nada por sí solo; invítalo, o escribe /digest on en tu propia conversación con él.
digest-news = { $count ->
    [one] Esta semana se ha compartido una cosa nueva.
    [many] Esta semana se han compartido { $count } de cosas nuevas.
   *[other] Esta semana se han compartido { $count } cosas nuevas.
}
digest-news-since = { $count ->
    [one] Desde el { $since } se ha compartido una cosa nueva.
    [many] Desde el { $since } se han compartido { $count } de cosas nuevas.
   *[other] Desde el { $since } se han compartido { $count } cosas nuevas.
}
digest-best = Estas { $count } son las que más gustan y más se usan.
digest-end = /digest off lo termina.
button-board = Tablón
group-code = En el otro grupo, quien cuida de él escribe /group link { $code }. El código vale una hora, una vez.
group-answer = Escribe ahora /group link { $code } en el grupo del que es el primer código. Vale una hora, una vez.
group-joined = Los dos grupos ven ahora un mismo tablón; /group unlink los vuelve a separar.
group-parted = Este lugar vuelve a tener su propio tablón. Lo compartido hasta ahora se queda en el que ha dejado.
input-group-alone = Ningún otro grupo ve el tablón de este lugar.
input-group-code = Ese código no es ninguno, ya se usó o es demasiado antiguo; /group link da uno nuevo.

preset-unshared = { $name } vuelve a ser solo tuyo.

## Las reglas de un lugar

rules = Esto vale para los miembros en este lugar.
rules-none = En este lugar no hay nada cerrado, limitado ni cubierto.
input-always-open = { $name } está abierto para todos, en todas partes.
denied-closed = /{ $name } está cerrado en este lugar.
input-place-most = En este lugar { $name } llega hasta { $most }.
fact-closed = cerrado
fact-paints = aún abierto para pintar
fact-credits = créditos
rules-credits = { $credits } al día para cada miembro
fact-cover = imágenes
cover-here = cubiertas hasta que alguien las pulse
cover-everywhere = cubiertas hasta que alguien las pulse, en todas partes; lo han decidido quienes llevan Easel

## La galería

gallery-title = Galería
gallery-chat = Chat
gallery-order = Orden
gallery-order-new = Lo más nuevo
gallery-order-used = Lo más usado
gallery-order-liked = Lo que más gusta
gallery-pages = Páginas
gallery-before = Anterior
gallery-none = En los grupos donde pintas aún no hay nada compartido. /share pone algo en su tablón.
gallery-by = { $maker } · { $votes ->
    [one] 1 me gusta
    [many] { $votes } me gusta
   *[other] { $votes } me gusta
} · { $uses ->
    [one] usado una vez
    [many] usado { $uses } veces
   *[other] usado { $uses } veces
}

## La ayuda de los comandos, y qué son sus parámetros

help-imagine = Pinta una imagen a partir de palabras.
help-again = Pinta una petición otra vez, con otra semilla.
help-vary = Pinta una variación de una imagen.
help-edit = Cambia una petición y píntala de nuevo.
help-info = Muestra todos los ajustes de una imagen.
help-original = Da una imagen como archivo, tal como se pintó.
help-delete = Borra una imagen tuya para siempre.
help-queue = Muestra lo tuyo que espera o se está pintando.
help-cancel = Retira una petición que espera o se está pintando.
help-move = Mueve una petición en espera dentro de tu propia cola.
help-retry = Intenta otra vez una petición fallida, tal como era.
help-resend = Envía otra vez las imágenes de una petición que no llegaron.
help-explain = Muestra cómo se lee un prompt y qué cuesta, sin pintarlo.
help-history = Muestra tus imágenes, primero las más nuevas.
help-settings = Muestra o cambia lo que vale donde no dices nada.
help-settle = Cambia tus ajustes en un formulario.
help-quota = Muestra cuántos créditos te quedan.
help-grant = Da a alguien créditos que duran hasta gastarse; sin número, muestra los que tiene.
help-pause = Retén por ahora las peticiones de este lugar o de una persona.
help-resume = Deja seguir las peticiones de este lugar o de una persona.
help-help = Muestra los comandos, o todo sobre uno.
help-link = Sé una sola persona en varias plataformas: pide un código, escríbelo allí, acepta aquí.
help-link-check = Muestra quién escribió tu código y quiere unirse contigo.
help-link-join = Sé una sola persona con quien escribió tu código.
help-link-no = No te unas con nadie, y termina tu código.
help-unlink = Sé alguien nuevo en una plataforma; historial y presets quedan con tus otros nombres.
help-me-export = Recibe como archivo todo lo que se guarda de ti: peticiones, imágenes, presets.
help-me-forget = Haz borrar todo sobre ti en todas tus plataformas; primero se te pregunta.
help-forget-me = Sé olvidado, como se te preguntó.
param-link-code = El código que te dieron en la otra plataforma
param-platform = Qué plataforma dejar; si no se dice, en la que escribes
param-link-join-person = Quién, por su id
param-forget-me-person = Quién, por su id
param-until = Hasta cuándo se puede aceptar, en segundos del reloj
param-prompt = Qué pintar, en palabras
param-negative = Qué no pintar
param-image = Una imagen de la que partir
param-strength = Cuánto de esa imagen se pinta de nuevo
param-size = Ancho y alto como 768x512, o un formato como 16:9
param-steps = Pasos para quitar el ruido; más es más lento
param-guidance = Con cuánta fidelidad se siguen las palabras
param-scheduler = Cómo se dan los pasos, como euler a
param-seed = La misma semilla repite una imagen
param-count = Cuántas imágenes
param-model = Qué modelo pinta
param-job = Qué petición, por su id
param-same = También la misma semilla, para la misma imagen
param-picture = Qué imagen, por su id
param-without = Ajustes que se retiran: sus nombres, separados por comas
param-words = Palabras que buscar
param-page = Qué página
param-way = Adónde dentro de tu propia cola; la primera si no se dice nada
param-language = El idioma que habla Easel
param-here = Para todos en este lugar, si cuidas de él
param-person = Quién: un nombre, un id o plataforma:id; nadie quiere decir este lugar
param-grant-person = Quién: un nombre, un id o plataforma:id
param-credits = Cuántos créditos; un número negativo quita algunos
param-command = Un comando del que saber más
help-branch = Sigue pintando desde una imagen: lo que no cambies se queda, también su semilla.
help-preset-use = Pinta con un preset: su nombre y luego tus palabras.
help-preset-list = Muestra los presets con los que puedes pintar, primero los más usados.
help-preset-show = Muestra qué es un preset; nombre@2 muestra una versión anterior.
help-preset-save = Guarda un prompt, o los ajustes de una imagen, con un nombre.
help-preset-keep = Guarda los ajustes de una imagen con un nombre que pide un formulario.
help-fill = Pinta con un preset cuyos huecos pregunta un formulario.
param-fill-version = Qué versión del preset
param-fill-asks = Por qué huecos se pregunta, una letra por cada uno
param-fill-words = Tus propias palabras
param-fill-slot-1 = Lo que va ahí en el prompt
param-fill-slot-2 = Lo que va ahí en el prompt
param-fill-slot-3 = Lo que va ahí en el prompt
param-fill-slot-4 = Lo que va ahí en el prompt
param-fill-slot-5 = Lo que va ahí en el prompt
help-preset-edit = Cambia un preset tuyo; las imágenes conservan la versión con que se hicieron.
help-preset-fork = Haz una copia de un preset, para cambiarla a tu gusto.
help-preset-share = Muestra un preset tuyo a este lugar, o a todos.
help-preset-delete = Quita un preset de todas las listas; las imágenes hechas con él se quedan.
help-preset-export = Lleva tus presets, o uno que puedas ver, como archivo.
help-preset-import = Trae presets de un archivo de Easel, A1111, Fooocus o InvokeAI.
help-share = Pon una imagen tuya, o un prompt, en el tablón de este lugar.
help-board = Muestra el tablón de este lugar: primero lo nuevo, lo usado o lo que gusta.
help-use = Pinta lo que alguien compartió, con otra semilla; tras su código caben palabras tuyas.
help-like = Di que te gusta algo compartido; otra vez lo retira.
help-keep = Guarda lo que alguien compartió como un preset tuyo.
help-report = Avisa a quienes cuidan de este lugar de que algo no va en su tablón.
help-reports = Muestra lo denunciado en el tablón de este lugar.
help-dismiss = Deja en el tablón algo denunciado: sus denuncias se olvidan.
help-pin = Deja algo en lo alto del tablón de este lugar, o ya no.
help-remove = Quita del tablón lo que compartiste, o cualquier cosa donde cuidas del lugar.
help-digest = Que lo nuevo del tablón se cuente aquí cada semana; en privado, lo de todos tus grupos.
help-group-link = Comparte un tablón con otro grupo, aquí o en otra plataforma.
help-group-unlink = Da de nuevo a este lugar un tablón propio; lo compartido se queda en el que deja.
help-favourite = Marca una imagen para encontrarla; otra vez quita la marca o la cambia de carpeta.
help-compare = Muestra dos imágenes juntas, y en qué difiere cómo se pintaron.
param-branch-prompt = Qué pintar en su lugar, en palabras
param-branch-without = Ajustes de la petición que elige el modelo: sus nombres, separados por comas
param-preset-prompt = El prompt, con huecos como {"{"}title{"}"} o {"{"}title=a cat{"}"}
param-share-prompt = Un prompt que compartir solo, sin imagen
param-preset-save-picture = Una imagen tuya de la que tomarlo todo, por su id
param-preset-edit-picture = Una imagen tuya de la que tomarlo todo, por su id
param-share-picture = Una imagen tuya que compartir, por su id
param-preset = Un preset con el que pintar, por su nombre
param-preset-preset = Qué preset, por su nombre
param-preset-use-words = Palabras para él: hueco:valor, o cualquier otra cosa
param-preset-use-preset = Su nombre, y palabras para él: hueco:valor, o cualquier otra cosa
param-preset-export-preset = Un preset con el que pintar, por su nombre
param-name = Cómo llamarlo
param-preset-save-name = Un nombre de una palabra; el prompt puede seguirlo
param-preset-edit-name = Un nombre de una palabra; el prompt puede seguirlo
param-lock = Lo que nadie puede cambiar: nombres, separados por comas
param-most = Lo máximo que otros pueden fijar, como steps=30, count=2
param-tags = Palabras con las que encontrarlo, separadas por comas
param-everybody = Para todos los que usan Easel aquí, no solo en este lugar
param-format = Para qué programa; easel lo conserva todo
param-text = El contenido de un archivo así
param-file = Un archivo con presets: de Easel, A1111, Fooocus o InvokeAI
param-order = Qué va primero; lo nuevo si no se dice nada
param-code = Lo compartido, por su código
param-use-code = El código de lo compartido; pueden seguirlo palabras
param-group-link-code = El código que se dio al otro grupo
param-switch = Si se cuenta; si se omite, muestra cómo está ahora
param-reason = Por qué no va ahí
param-off = Retíralo
param-folder = Una carpeta donde guardarla
param-pictures = Qué imagen, o qué dos, por su id
param-edit-prompt = Qué pintar en su lugar, en palabras
param-edit-without = Ajustes de la petición que elige el modelo: sus nombres, separados por comas
help-rules = Muestra qué pueden pedir los miembros en este lugar; quien cuida de él lo cambia.
param-rules-most = Lo máximo que se puede pedir en este lugar, como steps=30, count=2
param-rules-credits = El máximo de créditos que cada miembro puede usar en este lugar en un día
param-cover = Si las imágenes están cubiertas en este lugar hasta que alguien las pulse
param-closed = Comandos que los miembros no pueden usar en este lugar, separados por comas
