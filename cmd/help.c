#include "help.h"

#include <stdio.h>
#include <string.h>

#include "base/embed.h"
#include "commands.h"

/* The pages of cmd/man, compiled into the program. */
#define EMBED(name) RB_EMBED(rb_page_##name, "cmd/man/rbtool-" #name ".1.md");
RB_COMMANDS(EMBED)

#define PAGE_OF_COMMAND(name) {&rb_cmd_##name, rb_page_##name},
static const struct page {
    const rb_command *command;
    const char *text;
} pages[] = {RB_COMMANDS(PAGE_OF_COMMAND)};

#define PAGES (sizeof pages / sizeof *pages)

static const char *const groups[] = {RB_GROUP_SETUP,   RB_GROUP_RELEASE, RB_GROUP_DAILY,
                                     RB_GROUP_BREAKS,  RB_GROUP_PEOPLE,  RB_GROUP_AUDIT,
                                     RB_GROUP_PLUMBING};

void rb_help_usage(const rb_opt *global_opts)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    rb_buf_puts(&out, "usage: rbtool [-C DIR] [--config FILE] COMMAND [OPTIONS]\n\n");
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        rb_buf_printf(&out, "%s\n", groups[g]);
        for (size_t i = 0; i < PAGES; i++)
            if (strcmp(pages[i].command->group, groups[g]) == 0)
                rb_buf_printf(&out, "  %-12s %s\n", pages[i].command->name,
                              pages[i].command->summary);
        rb_buf_puts(&out, "\n");
    }
    rb_buf_puts(&out, "Options of every command, before it or after it\n");
    rb_opt_help(&out, global_opts);
    rb_buf_puts(&out,
                "\n`rbtool help COMMAND` explains a command and shows examples.\n\nExit codes\n"
                "  0  done, or nothing to do\n"
                "  1  a check found something: verification, drift, health, lint, a refused push\n"
                "  2  usage, settings, input or system error; nothing was changed\n"
                "  3  a transition stopped half-way: `rbtool resume` or `rbtool abort`\n"
                "  4  another run holds the environment\n"
                "  5  a person must decide: data at risk, drift, a bad release, approvals\n");
    fputs(out.data, stdout);
}

#define HEADING "\n## "

/* Appends the page's sections without the Markdown signs of their headings. */
static void add_sections(rb_buf *out, const char *text)
{
    for (const char *mark; (mark = strstr(text, HEADING)); text = mark + strlen(HEADING))
        rb_buf_add(out, text, (size_t)(mark - text) + 1);
    rb_buf_puts(out, text);
}

void rb_help_command(const rb_command *command)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    const char *text = "";
    for (size_t i = 0; i < PAGES; i++)
        if (pages[i].command == command)
            text = strchr(pages[i].text, '\n') + 1; /* after the title line */
    const char *sections = strstr(text, HEADING);
    rb_buf_printf(&out, "usage: rbtool %s [OPTIONS]%s%s\n\n%s.\n", command->name,
                  *command->args ? " " : "", command->args, command->summary);
    rb_buf_add(&out, text, sections ? (size_t)(sections - text) : strlen(text));
    if (command->opts->kind != RB_OPT_END)
        rb_buf_puts(&out, "\nOptions\n");
    rb_opt_help(&out, command->opts);
    rb_buf_puts(&out, "\n`rbtool help` lists the options that every command takes.\n");
    if (sections)
        add_sections(&out, sections);
    fputs(out.data, stdout);
}
