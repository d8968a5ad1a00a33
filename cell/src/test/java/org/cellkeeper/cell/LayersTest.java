package org.cellkeeper.cell;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;
import java.util.stream.Stream;

/**
 * Who may depend on whom. Only the root package ({@code Main}, {@code Wiring}) and {@code cli} see everything.
 */
@AnalyzeClasses(packages = "org.cellkeeper.cell", importOptions = ImportOption.DoNotIncludeTests.class)
final class LayersTest {

    private static final String ROOT = "org.cellkeeper.cell";
    private static final String CLI = in("cli");
    private static final String MODEL = in("model");
    private static final String PORT = in("port");
    private static final String DECIDE = in("decide");
    private static final String REPORT = in("report");
    private static final String LOOP = in("loop");
    private static final String WIRE = in("wire");
    private static final String TRUST = in("trust");
    private static final String GUARD = in("guard");
    private static final String API = "org.cellkeeper.api..";

    private static final String JAVA = "java..";
    private static final String NULLNESS = "org.jspecify..";
    private static final String LOGGING = "org.slf4j..";

    private static final List<String> ADAPTERS =
            List.of("zookeeper", "postgres", "door", "peer", "http", "app", "metrics", "config", "journal", "backup");

    @ArchTest
    static final ArchRule model_knows_only_java = only(MODEL, JAVA, NULLNESS);

    @ArchTest
    static final ArchRule decide_knows_only_the_model = only(DECIDE, MODEL, JAVA, NULLNESS);

    @ArchTest
    static final ArchRule port_knows_only_the_model = only(PORT, MODEL, JAVA, NULLNESS);

    @ArchTest
    static final ArchRule report_knows_only_decide_and_the_model = only(REPORT, DECIDE, MODEL, JAVA, NULLNESS);

    @ArchTest
    static final ArchRule loop_knows_decide_report_port_and_model =
            only(LOOP, DECIDE, REPORT, PORT, MODEL, JAVA, NULLNESS, LOGGING);

    @ArchTest
    static final ArchRule guard_stands_alone = only(GUARD, JAVA, NULLNESS, LOGGING);

    @ArchTest
    static final ArchRule wire_knows_only_the_model = ofOursOnly(WIRE, MODEL);

    @ArchTest
    static final ArchRule trust_knows_only_wire = ofOursOnly(TRUST, WIRE);

    @ArchTest
    static final ArchRule certificates_are_made_in_trust = confined(List.of("org.bouncycastle.."), TRUST);

    @ArchTest
    static void adapters_know_port_model_wire_and_trust_and_never_each_other(JavaClasses classes) {
        for (String adapter : ADAPTERS) {
            ArchRule rule = adapter.equals("http")
                    ? ofOursOnly(in(adapter), PORT, MODEL, WIRE, TRUST, API)
                    : ofOursOnly(in(adapter), PORT, MODEL, WIRE, TRUST);
            rule.check(classes);
        }
    }

    @ArchTest
    static final ArchRule every_package_has_a_rule = classes()
            .should()
            .resideInAnyPackage(Stream.concat(
                            Stream.of(ROOT, CLI, MODEL, PORT, DECIDE, REPORT, LOOP, WIRE, TRUST, GUARD),
                            ADAPTERS.stream().map(LayersTest::in))
                    .toArray(String[]::new));

    @ArchTest
    static final ArchRule the_root_package_holds_only_the_entry_point_and_the_wiring = classes()
            .that()
            .resideInAPackage(ROOT)
            .should()
            .haveNameMatching("org\\.cellkeeper\\.cell\\.(Main|Wiring)(\\$.*)?|.*\\.package-info");

    @ArchTest
    static final ArchRule zookeeper_types_stay_in_zookeeper =
            confined(List.of("org.apache.curator..", "org.apache.zookeeper.."), in("zookeeper"));

    @ArchTest
    static final ArchRule sql_types_stay_in_postgres_and_app = confined(
            List.of("java.sql..", "javax.sql..", "org.postgresql..", "com.zaxxer.."), in("postgres"), in("app"));

    @ArchTest
    static final ArchRule migrations_stay_in_app = confined(List.of("org.flywaydb.."), in("app"));

    @ArchTest
    static final ArchRule javalin_types_stay_in_http = confined(List.of("io.javalin.."), in("http"));

    @ArchTest
    static final ArchRule micrometer_types_stay_in_metrics = confined(List.of("io.micrometer.."), in("metrics"));

    @ArchTest
    static final ArchRule picocli_types_stay_in_cli_and_root = confined(List.of("picocli.."), CLI, ROOT);

    @ArchTest
    static final ArchRule only_clocks_sleep = noClasses()
            .that()
            .haveNameNotMatching(".*Clock(\\$.*)?")
            .should()
            .accessTargetWhere(sleeping())
            .allowEmptyShould(true);

    @ArchTest
    static final ArchRule names_say_what_a_class_is = noClasses()
            .should()
            .haveNameMatching(".*(Manager|Helper|Util|Utils|Impl)")
            .allowEmptyShould(true);

    private static String in(String name) {
        return ROOT + "." + name + "..";
    }

    /** Classes of a package depend on their own package and the allowed ones, and on nothing else at all. */
    private static ArchRule only(String subject, String... allowed) {
        return classes()
                .that()
                .resideInAPackage(subject)
                .should()
                .onlyDependOnClassesThat(resideInAPackage(subject).or(resideInAnyPackage(allowed)))
                .allowEmptyShould(true);
    }

    /** As {@link #only}, but counting this project's packages alone: libraries are free. */
    private static ArchRule ofOursOnly(String subject, String... allowed) {
        return classes()
                .that()
                .resideInAPackage(subject)
                .should()
                .onlyDependOnClassesThat(resideInAPackage(subject)
                        .or(resideInAnyPackage(allowed))
                        .or(not(resideInAPackage("org.cellkeeper.."))))
                .allowEmptyShould(true);
    }

    private static ArchRule confined(List<String> library, String... home) {
        return noClasses()
                .that()
                .resideOutsideOfPackages(home)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(library.toArray(String[]::new))
                .allowEmptyShould(true);
    }

    private static DescribedPredicate<JavaAccess<?>> sleeping() {
        return DescribedPredicate.describe(
                "is Thread.sleep or TimeUnit.sleep",
                access -> access.getTarget().getName().equals("sleep")
                        && access.getTargetOwner().getFullName().matches("java\\.lang\\.Thread|.*\\.TimeUnit"));
    }
}
