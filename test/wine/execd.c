/*
 * The agent of a manager on Windows, as it starts an executable and talks with it: anonymous pipes for
 * standard input and output, nothing for standard error, one line, an answer, another line, the end.
 *
 *     execd.exe <folder> <command line> <file of the first line> [<file of the second line>]
 *
 * Prints the exit status, and the line that came back.
 */
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

static char text[70000];

static DWORD contents(const wchar_t *path) {
    HANDLE file = CreateFileW(path, GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
    DWORD length = 0;
    if (file == INVALID_HANDLE_VALUE) ExitProcess(99);
    ReadFile(file, text, sizeof text, &length, NULL);
    CloseHandle(file);
    return length;
}

static void pass_line(HANDLE to, const wchar_t *path) {
    DWORD length = contents(path);
    DWORD written = 0;
    WriteFile(to, text, length, &written, NULL);
}

int main(void) {
    int argc = 0;
    wchar_t **argv = CommandLineToArgvW(GetCommandLineW(), &argc);
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    STARTUPINFOW start = {0};
    PROCESS_INFORMATION child;
    HANDLE in_read, in_write, out_read, out_write;
    wchar_t line[4096];
    DWORD status = 0, length = 0, one = 0;

    if (argc < 4) return 98;
    wcsncpy(line, argv[2], 4095);
    SetCurrentDirectoryW(argv[1]);
    CreatePipe(&in_read, &in_write, &inherited, 0);
    CreatePipe(&out_read, &out_write, &inherited, 0);
    SetHandleInformation(in_write, HANDLE_FLAG_INHERIT, 0);
    SetHandleInformation(out_read, HANDLE_FLAG_INHERIT, 0);
    start.cb = sizeof start;
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = in_read;
    start.hStdOutput = out_write;
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &start, &child)) {
        printf("CreateProcess: %lu\n", GetLastError());
        return 97;
    }
    CloseHandle(in_read);
    CloseHandle(out_write);
    pass_line(in_write, argv[3]);
    while (length < sizeof text - 1 && ReadFile(out_read, text + length, 1, &one, NULL) && one == 1) {
        if (text[length++] == '\n') break;
    }
    char answer[70000];
    memcpy(answer, text, length);
    if (argc > 4) pass_line(in_write, argv[4]);
    CloseHandle(in_write);
    CloseHandle(out_read);
    WaitForSingleObject(child.hProcess, INFINITE);
    GetExitCodeProcess(child.hProcess, &status);
    printf("%lu\n%.*s", status, (int)length, answer);
    return 0;
}
