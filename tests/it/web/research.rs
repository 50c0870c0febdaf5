mod research_templates;
