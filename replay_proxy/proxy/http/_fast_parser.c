/* The compiled functions of the fast parser. Every call goes through each of them twice.

   They return what the Python functions of the same names in fast_parser_py.py return, for any bytes;
   tests/proxy/test_fast_parser.py compares them. fast_parser.py explains what a plain message is. This is built where there
   is a C compiler; nothing depends on it. One pass over the head, and no allocation but for what is returned. Limited API:
   one build serves every CPython from 3.11 on. */

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#define PLAIN_HEAD_BYTES_MAX (16 * 1024)
#define LENGTH_DIGITS_MAX 9
#define FIELDS_MAX 1000 /* HEADER_FIELDS_MAX in limits.py */
#define REVISION 2 /* counted up where what the functions take or return changes: fast_parser.py uses no other one */

enum { TOKEN = 1, TARGET = 2, VISIBLE = 4, VALUE = 8 };

static unsigned char kinds[256];

static PyTypeObject *request_frame_type, *answer_frame_type;

static void add_kind(const char *characters, int kind) {
    for (; *characters; characters++) kinds[(unsigned char)*characters] |= kind;
}

static void fill_kinds(void) {
    for (int c = '0'; c <= '9'; c++) kinds[c] |= TOKEN | TARGET;
    for (int c = 'a'; c <= 'z'; c++) kinds[c] |= TOKEN | TARGET;
    for (int c = 'A'; c <= 'Z'; c++) kinds[c] |= TOKEN | TARGET;
    add_kind("!#$%&'*+.^_`|~-", TOKEN);
    add_kind("/_.~%?=&+:@!$'()*,;-", TARGET);
    for (int c = '!'; c <= '~'; c++) kinds[c] |= VISIBLE | VALUE;
    for (int c = 0x80; c <= 0xff; c++) kinds[c] |= VISIBLE | VALUE;
    add_kind(" \t", VALUE);
}

static int lower(char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; }

/* Are `length` bytes the same as `word`, which is in lower case, without regard to case? */
static int equals(const char *text, Py_ssize_t length, const char *word) {
    if (length != (Py_ssize_t)strlen(word)) return 0;
    for (; length; length--, text++, word++)
        if (lower(*text) != *word) return 0;
    return 1;
}

/* Does a field of this name belong to the connection, or make a client wait (Expect)? */
static int is_connection_field(const char *name, Py_ssize_t length) {
    switch (lower(*name)) {
    case 'c': return equals(name, length, "connection");
    case 'k': return equals(name, length, "keep-alive");
    case 't': return equals(name, length, "te") || equals(name, length, "trailer") || equals(name, length, "transfer-encoding");
    case 'u': return equals(name, length, "upgrade");
    case 'e': return equals(name, length, "expect");
    case 'p':
        if (length < 6 || !equals(name, 6, "proxy-")) return 0;
        for (Py_ssize_t i = 6; i < length; i++)
            if (name[i] != '-' && (lower(name[i]) < 'a' || lower(name[i]) > 'z')) return 0;
        return 1;
    default: return 0;
    }
}

typedef struct {
    Py_ssize_t hosts, lengths, length; /* how many Host and Content-Length fields there are, and the body's length */
    Py_ssize_t connection_start, connection_end;
    int closes;
} Fields;

/* Return the value of a Content-Length; -1 where it is no number. */
static Py_ssize_t number(const char *text, const char *end) {
    Py_ssize_t value = 0;
    if (end - text > LENGTH_DIGITS_MAX || (*text == '0' && end - text > 1)) return -1;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9') return -1;
        value = value * 10 + (*text - '0');
    }
    return value;
}

/* Read the fields between `at`, where a line break stands, and `end`. Return whether all of them are plain. */
static int read_fields(const char *data, const char *at, const char *end, int of_answer, Fields *found) {
    memset(found, 0, sizeof *found);
    for (int count = 1; at < end; count++) {
        const char *line = at, *name, *value;
        if (count > FIELDS_MAX || end - at < 2 || at[0] != '\r' || at[1] != '\n') return 0;
        name = at += 2;
        while (at < end && kinds[(unsigned char)*at] & TOKEN) at++;
        Py_ssize_t named = at - name;
        if (!named || end - at < 3 || at[0] != ':' || at[1] != ' ') return 0;
        value = at += 2;
        if (!(kinds[(unsigned char)*at] & VISIBLE)) return 0;
        while (at < end && kinds[(unsigned char)*at] & VALUE) at++;
        if (at[-1] == ' ' || at[-1] == '\t') return 0;
        if (is_connection_field(name, named)) {
            int closes = of_answer && equals(value, at - value, "close");
            if (found->connection_end || !equals(name, named, "connection")) return 0;
            if (!closes && !equals(value, at - value, "keep-alive")) return 0;
            found->connection_start = line - data;
            found->connection_end = at - data;
            found->closes = closes;
        } else if (equals(name, named, "content-length")) {
            if (found->lengths++ || (found->length = number(value, at)) < 0) return 0;
        } else if (equals(name, named, "host")) {
            found->hosts++;
        }
    }
    return 1;
}

/* Return where the head of a message ends; NULL where its end has not come, or is too far away. */
static const char *end_of_head(const char *data, Py_ssize_t size) {
    const char *at = data, *end = data + (size < PLAIN_HEAD_BYTES_MAX ? size : PLAIN_HEAD_BYTES_MAX);
    while (end - at >= 4 && (at = memchr(at, '\r', end - at - 3)) != NULL) {
        if (at[1] == '\n' && at[2] == '\r' && at[3] == '\n') return at;
        at++;
    }
    return NULL;
}

/* Move `at` beyond `word` where that stands there, and return whether it does. */
static int skip(const char **at, const char *end, const char *word) {
    Py_ssize_t length = strlen(word);
    if (end - *at < length || memcmp(*at, word, length)) return 0;
    *at += length;
    return 1;
}

/* Return a frame of this type with `count` new objects, whose references it steals. */
static PyObject *frame_of(PyTypeObject *type, PyObject **items, Py_ssize_t count) {
    PyObject *frame = PyStructSequence_New(type);
    int whole = frame != NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        whole = whole && items[i] != NULL;
        if (frame != NULL) PyStructSequence_SetItem(frame, i, items[i]);
        else Py_XDECREF(items[i]);
    }
    if (!whole) Py_CLEAR(frame);
    return frame;
}

static PyObject *frame_request(PyObject *module, PyObject *argument) {
    char *data;
    Py_ssize_t size;
    Fields fields;
    if (PyBytes_AsStringAndSize(argument, &data, &size) < 0) return NULL;
    const char *end = end_of_head(data, size), *at = data;
    if (end == NULL) Py_RETURN_NONE;
    if (!skip(&at, end, "GET ") && !skip(&at, end, "POST ") && !skip(&at, end, "PUT ") &&
        !skip(&at, end, "DELETE ") && !skip(&at, end, "PATCH "))
        Py_RETURN_NONE;
    const char *target = at;
    if (at >= end || *at != '/') Py_RETURN_NONE;
    while (at < end && kinds[(unsigned char)*at] & TARGET) at++;
    const char *target_end = at;
    if (!skip(&at, end, " HTTP/1.1") || !read_fields(data, at, end, 0, &fields) || fields.hosts != 1)
        Py_RETURN_NONE;
    PyObject *items[] = {
        PyUnicode_DecodeLatin1(target, target_end - target, NULL),
        PyLong_FromSsize_t(fields.length - (size - (end + 4 - data))),
        PyLong_FromSsize_t(fields.connection_start),
        PyLong_FromSsize_t(fields.connection_end),
        PyLong_FromSsize_t(end + 4 - data),
    };
    return frame_of(request_frame_type, items, 5);
}

static PyObject *answer(Py_ssize_t status, Py_ssize_t missing, const Fields *fields, Py_ssize_t body_at) {
    PyObject *items[] = {
        PyLong_FromSsize_t(status),
        PyLong_FromSsize_t(missing),
        PyBool_FromLong(fields->closes),
        PyLong_FromSsize_t(fields->connection_start),
        PyLong_FromSsize_t(fields->connection_end),
        PyLong_FromSsize_t(body_at),
    };
    return frame_of(answer_frame_type, items, 6);
}

static PyObject *frame_answer(PyObject *module, PyObject *arguments) {
    PyObject *message;
    char *data;
    Py_ssize_t size, limit;
    Fields fields;
    if (!PyArg_ParseTuple(arguments, "Sn:frame_answer", &message, &limit)) return NULL;
    if (PyBytes_AsStringAndSize(message, &data, &size) < 0) return NULL;
    const char *end = end_of_head(data, size), *at = data;
    if (end == NULL) {
        if (size > PLAIN_HEAD_BYTES_MAX) Py_RETURN_NONE;
        memset(&fields, 0, sizeof fields);
        return answer(0, 1, &fields, 0);
    }
    if (!skip(&at, end, "HTTP/1.1 ") || end - at < 4 || at[0] < '2' || at[0] > '5' || at[1] < '0' || at[1] > '9' ||
        at[2] < '0' || at[2] > '9' || at[3] != ' ')
        Py_RETURN_NONE;
    Py_ssize_t status = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
    for (at += 4; at < end && *at >= ' ' && *at <= '~'; at++) {}
    if (at[-1] == ' ' || status == 204 || status == 304 || !read_fields(data, at, end, 1, &fields)) Py_RETURN_NONE;
    Py_ssize_t missing = fields.length - (size - (end + 4 - data));
    if (!fields.lengths || fields.length > limit || missing < 0) Py_RETURN_NONE;
    return answer(status, missing, &fields, end + 4 - data);
}

/* Put `value`, a new reference or NULL, into a tuple. Return 0 where it is NULL. */
static int put(PyObject *tuple, Py_ssize_t at, PyObject *value) {
    return value != NULL && PyTuple_SetItem(tuple, at, value) == 0;
}

/* Put the fields of a head, from `at` to `end`, into two tuples, and return how many there are; -1 for an error.
   Where `names` is NULL they are only counted. */
static Py_ssize_t collect_fields(const char *at, const char *end, PyObject *names, PyObject *pairs) {
    Py_ssize_t count = 0;
    while (at < end) {
        const char *name = at + 2, *stop = name;
        while (stop < end && *stop != '\r') stop++;
        if (names != NULL) {
            const char *colon = memchr(name, ':', stop - name);
            PyObject *text = PyUnicode_DecodeLatin1(name, colon - name, NULL), *pair = PyTuple_New(2);
            if (text == NULL || pair == NULL) {
                Py_XDECREF(text);
                Py_XDECREF(pair);
                return -1;
            }
            if (PyTuple_SetItem(pairs, count, pair) < 0) {
                Py_DECREF(text);
                return -1;
            }
            PyUnicode_InternInPlace(&text); /* clients send the same names again and again */
            Py_INCREF(text);
            if (!put(names, count, text) | !put(pair, 0, text)) return -1;
            if (!put(pair, 1, PyUnicode_DecodeLatin1(colon + 2, stop - colon - 2, NULL))) return -1;
        }
        count++;
        at = stop;
    }
    return count;
}

static PyObject *split_message(PyObject *module, PyObject *argument) {
    char *data;
    Py_ssize_t size;
    Fields fields;
    if (PyBytes_AsStringAndSize(argument, &data, &size) < 0) return NULL;
    const char *end = end_of_head(data, size), *at = data;
    if (end != NULL) while (at < end && *at != '\r') at++;
    if (end == NULL || !read_fields(data, at, end, 1, &fields)) {
        PyErr_SetString(PyExc_ValueError, "this is no plain message");
        return NULL;
    }
    Py_ssize_t count = collect_fields(at, end, NULL, NULL);
    PyObject *names = PyTuple_New(count), *pairs = PyTuple_New(count), *parts = PyTuple_New(4);
    int whole = names != NULL && pairs != NULL && parts != NULL && collect_fields(at, end, names, pairs) >= 0;
    if (!whole) { Py_XDECREF(names); Py_XDECREF(pairs); Py_XDECREF(parts); return NULL; }
    PyTuple_SetItem(parts, 1, names);
    PyTuple_SetItem(parts, 2, pairs);
    if (!put(parts, 0, PyUnicode_DecodeLatin1(data, at - data, NULL)) ||
        !put(parts, 3, PyBytes_FromStringAndSize(end + 4, data + size - end - 4))) {
        Py_DECREF(parts);
        return NULL;
    }
    return parts;
}

static PyMethodDef methods[] = {
    {"frame_request", frame_request, METH_O, NULL},
    {"frame_answer", frame_answer, METH_VARARGS, NULL},
    {"split_message", split_message, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_fast_parser", NULL, -1, methods, NULL, NULL, NULL, NULL};

static PyStructSequence_Field request_fields[] = {
    {"target", NULL}, {"missing", NULL}, {"cut_from", NULL}, {"cut_to", NULL}, {"body_at", NULL}, {NULL, NULL}};
static PyStructSequence_Desc request_type = {"replay_proxy.proxy.http._fast_parser.RequestFrame", NULL, request_fields, 5};
static PyStructSequence_Field answer_fields[] = {
    {"status", NULL}, {"missing", NULL}, {"closes", NULL}, {"cut_from", NULL}, {"cut_to", NULL}, {"body_at", NULL}, {NULL, NULL}};
static PyStructSequence_Desc answer_type = {"replay_proxy.proxy.http._fast_parser.AnswerFrame", NULL, answer_fields, 6};

PyMODINIT_FUNC PyInit__fast_parser(void) {
    fill_kinds();
    if (request_frame_type == NULL) request_frame_type = PyStructSequence_NewType(&request_type);
    if (answer_frame_type == NULL) answer_frame_type = PyStructSequence_NewType(&answer_type);
    if (request_frame_type == NULL || answer_frame_type == NULL) return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddIntConstant(module, "REVISION", REVISION) < 0) Py_CLEAR(module);
    return module;
}
