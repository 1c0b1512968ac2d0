/* The decoder of a Slurm library, one message at a time.
 *
 * argv: the library, a slurm.conf. stdin: records `u8 kind, u16 number, u16 version, u32 length, bytes` (big-endian);
 * stdout: for each `i32 return code, u32 bytes consumed, u32 length, bytes`. Kind 0 is an ordinary body, 1 an accounting
 * message, 2 an ordinary body that is packed again, which gives the bytes.
 *
 * Nothing of the library's headers is used: where its structures keep what is needed is found by asking it. A message
 * that it has just initialised has the number and the version side by side, both "no value"; a buffer counts what has
 * been taken from it, so the word that grows by four when a u32 is taken is the count. What a message allocates is never
 * freed: the process does not live long.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AMPLE = 8192, ROOM = 1 << 20, NO_VALUE = 0xfffe, WORDS_OF_A_BUFFER = 12 };

static void *library;

/* The library and its plugins log by this name, which the C library has too and would answer to first. */
void error(const char *format, ...)
{
	va_list values;
	va_start(values, format);
	vfprintf(stderr, format, values);
	fputc('\n', stderr);
	va_end(values);
}

static void *symbol(const char *name)
{
	void *found = dlsym(library, name);
	if (!found) {
		fprintf(stderr, "no %s: %s\n", name, dlerror());
		exit(3);
	}
	return found;
}

static void take(void *to, size_t size)
{
	if (size && fread(to, size, 1, stdin) != 1)
		exit(0);
}

/* Decoders call plugins without looking whether they are loaded. Not every release has all of these. */
static void load_plugins(void)
{
	static const char *const names[] = {"select_g_init", "cred_g_init", "slurm_cred_init", "switch_g_init", "switch_init",
					    "gres_init", "topology_g_init", "acct_gather_energy_g_init"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		int (*load)(int) = dlsym(library, names[i]);
		if (load && load(0))
			fprintf(stderr, "%s failed\n", names[i]);
	}
}

static size_t number_within(void (*init)(void *))
{
	static uint16_t message[AMPLE / 2];
	init(message);
	for (size_t i = 0; i + 1 < AMPLE / 2; i++)
		if (message[i] == NO_VALUE && message[i + 1] == NO_VALUE)
			return 2 * i;
	fputs("a fresh message has no number\n", stderr);
	exit(3);
}

static size_t count_within(void *(*create)(char *, uint32_t), int (*unpack32)(uint32_t *, void *))
{
	uint32_t value, before[WORDS_OF_A_BUFFER], *buffer = create(calloc(1, 64), 64);
	memcpy(before, buffer, 32);
	unpack32(&value, buffer);
	for (size_t i = 0; i < 8; i++)
		if (buffer[i] == before[i] + 4)
			return i;
	fputs("a buffer does not count\n", stderr);
	exit(3);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	FILE *answers = fdopen(dup(1), "wb");
	dup2(2, 1);
	library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 3;
	}
	void *(*create)(char *, uint32_t) = symbol("create_buf");
	int (*unpack32)(uint32_t *, void *) = symbol("slurm_unpack32");
	void (*init)(void *) = symbol("slurm_msg_t_init");
	int (*unpack)(void *, void *) = symbol("unpack_msg");
	int (*pack)(void *, void *) = symbol("pack_msg");
	int (*unpack_accounting)(void *, uint16_t, void *) = symbol("unpack_slurmdbd_msg");
	((void (*)(const char *))symbol("slurm_init"))(argv[2]);
	load_plugins();
	size_t number_at = number_within(init), count_at = count_within(create, unpack32), head_at = 0;
	char *known = calloc(1, 64);
	for (void **buffer = create(known, 64); buffer[head_at] != known; head_at++)
		;
	static char message[AMPLE];
	for (;;) {
		uint8_t kind;
		uint16_t number, version;
		uint32_t length, answer[3];
		take(&kind, 1), take(&number, 2), take(&version, 2), take(&length, 4);
		number = ntohs(number), version = ntohs(version), length = ntohl(length);
		char *data = malloc(length + 1);
		take(data, length);
		uint32_t *buffer = create(data, length);
		memset(message, 0, sizeof message);
		if (kind != 1) {
			init(message);
			memcpy(message + number_at, &number, 2);
			memcpy(message + number_at + 2, &version, 2);
			answer[0] = unpack(message, buffer);
		} else {
			answer[0] = unpack_accounting(message, version, buffer);
		}
		uint32_t taken = buffer[count_at], written = 0;
		void **head = NULL;
		if (kind == 2 && answer[0] == 0) {
			uint32_t *room = create(calloc(1, ROOM), ROOM);
			head = (void **)room + head_at;
			if (pack(message, room) == 0)
				written = room[count_at];
		}
		answer[0] = htonl(answer[0]), answer[1] = htonl(taken), answer[2] = htonl(written);
		fwrite(answer, sizeof answer, 1, answers);
		if (written)
			fwrite(*head, written, 1, answers);
		fflush(answers);
	}
}
