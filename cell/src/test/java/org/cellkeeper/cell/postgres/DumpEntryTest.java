package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class DumpEntryTest {
    private static final List<String> ROLES = List.of("cellkeeper", "vcloud", "alice", "the alice");

    @Test
    void a_line_names_an_entry_an_object_what_it_is_and_whose() {
        assertThat(parse("215; 1259 16386 TABLE public orders alice"))
                .isEqualTo(new DumpEntry("215", "1259 16386", "TABLE public orders alice", "alice"));
    }

    @Test
    void a_comment_or_an_empty_line_names_nothing() {
        assertThat(DumpEntry.parse("; Archive created at 2026-01-01", ROLES)).isNull();
        assertThat(DumpEntry.parse("", ROLES)).isNull();
    }

    @Test
    void what_is_nobodys_or_may_be_of_two_is_the_applications() {
        assertThat(parse("1; 1259 7 TABLE public orders bob").owner()).isEqualTo("vcloud");
        assertThat(parse("1; 1259 7 TABLE public orders the alice").owner()).isEqualTo("vcloud");
        assertThat(parse("1; 1259 7 TABLE public ordersalice").owner()).isEqualTo("vcloud");
    }

    @Test
    void data_have_no_object_of_their_own() {
        assertThat(parse("3; 0 16386 TABLE DATA public orders alice").isData()).isTrue();
        assertThat(parse("3; 0 16390 SEQUENCE SET public ids alice").isData()).isTrue();
        assertThat(parse("3; 0 0 BLOBS - BLOBS").isData()).isTrue();
        assertThat(parse("3; 1259 16386 TABLE DATA public alice").isData()).isFalse();
        assertThat(parse("3; 0 16386 TABLE public orders alice").isData()).isFalse();
    }

    @Test
    void a_grant_is_one_by_its_kind_or_the_class_of_default_rights() {
        assertThat(parse("4; 0 0 ACL public TABLE orders alice").isGrant()).isTrue();
        assertThat(parse("4; 826 16400 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES alice")
                        .isGrant())
                .isTrue();
        assertThat(parse("4; 1259 16386 ACL alice").isGrant()).isFalse();
        assertThat(parse("4; 0 0 ACL - LANGUAGE plpgsql cellkeeper").isEarlyGrant())
                .isTrue();
        assertThat(parse("4; 0 0 ACL - FOREIGN DATA WRAPPER files cellkeeper").isEarlyGrant())
                .isTrue();
        assertThat(parse("4; 0 0 ACL public TABLE orders alice").isEarlyGrant()).isFalse();
    }

    @Test
    void a_comment_is_no_object_but_that_on_an_extension_is_made_with_it() {
        assertThat(parse("5; 0 0 COMMENT public TABLE orders alice").isComment())
                .isTrue();
        assertThat(parse("5; 1259 16386 COMMENT alice").isComment()).isFalse();
        assertThat(parse("5; 0 0 COMMENT - EXTENSION hstore ").isSchemaOrExtension())
                .isTrue();
        assertThat(parse("5; 2615 16385 SCHEMA - sales alice").isSchemaOrExtension())
                .isTrue();
        assertThat(parse("5; 3079 16385 EXTENSION - hstore ").isSchemaOrExtension())
                .isTrue();
        assertThat(parse("5; 1259 16386 TABLE public orders alice").isSchemaOrExtension())
                .isFalse();
    }

    @Test
    void another_owner_changes_nothing_else() {
        assertThat(parse("215; 1259 16386 TABLE public orders alice").of("vcloud"))
                .isEqualTo(new DumpEntry("215", "1259 16386", "TABLE public orders alice", "vcloud"));
    }

    private static DumpEntry parse(String line) {
        DumpEntry entry = DumpEntry.parse(line, ROLES);
        if (entry == null) {
            throw new AssertionError("nothing is named by: " + line);
        }
        return entry;
    }
}
